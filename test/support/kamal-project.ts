import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { sensitive } from '../../src/domain/sensitive';
import { createKamal } from '../../src/kamal/create-kamal';
import type { Kamal, KamalOptions, KamalSession, RunOptions } from '../../src/kamal/kamal';
import { createLog } from '../../src/log';
import { streamChild } from '../../src/process/stream-child';

export interface TestProject {
  dir: string;
  configDir: string;
  stateDir: string;
  /** Values of the secrets; a test may change them. */
  secrets: Map<string, string>;
  write(file: string, content: string, mode?: number): void;
  createKamal(options?: Partial<KamalOptions>): Kamal;
  /** Every file below a directory, with its kind, mode and content. */
  list(dir: string): string[];
  remove(): void;
}

export const deployYml = `service: ghosthands
image: ghosthands
require_destination: true
registry:
  server: 127.0.0.1:5000
  username: AWS
  password:
    - KAMAL_REGISTRY_PASSWORD
builder:
  arch: amd64
servers:
  web:
    hosts: []
    proxy: false
  workers:
    hosts: []
    proxy: false
env:
  clear:
    GH_ENVIRONMENT: staging
  secret:
    - DATABASE_URL
    - GH_ENVIRONMENT
ssh:
  port: 1
  config: false
`;

/** What a program in the place of Kamal answers to `config` (`args` are its arguments): the hosts of the two files. */
export const answerConfig = `if (args[0] === "config") {
  const read = (file) => require(${JSON.stringify(require.resolve('yaml'))}).parse(require("node:fs").readFileSync("config/" + file, "utf8")) ?? {};
  const own = read("deploy." + args.at(-1).split("=")[1] + ".yml").servers ?? {};
  const servers = { ...read("deploy.yml").servers, ...own };
  const hosts = [...new Set(Object.values(servers).flatMap((role) => role.hosts ?? role))];
  console.log(":roles:\\n" + Object.keys(servers).map((role) => "- " + role).join("\\n"));
  console.log(":hosts:\\n" + hosts.map((host) => "- " + host).join("\\n") + "\\n:primary_host: " + hosts[0]);
  process.exit(0);
}`;

/** A Kamal project in ATM's shape, in a directory of its own. */
export const createTestProject = (): TestProject => {
  const dir = mkdtempSync(path.join(tmpdir(), 'kamal-project-'));
  const configDir = path.join(dir, 'theirs');
  const stateDir = path.join(dir, 'state');
  const secrets = new Map([
    ['KAMAL_REGISTRY_PASSWORD', 'registry-password-1'],
    ['DATABASE_URL', 'postgres://u:database-password@db:5432/fleet'],
  ]);
  const write = (file: string, content: string, mode?: number): void => {
    mkdirSync(path.dirname(path.join(configDir, file)), { recursive: true });
    writeFileSync(path.join(configDir, file), content, { mode });
  };
  write('config/deploy.yml', deployYml);
  write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: []\n  workers:\n    hosts: []\n');

  const list = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .map((name) => {
        const stat = statSync(path.join(folder, name));
        return `${name} ${(stat.mode & 0o777).toString(8)} ${stat.isFile() ? readFileSync(path.join(folder, name), 'utf8') : ''}`;
      });

  return {
    dir,
    configDir,
    stateDir,
    secrets,
    write,
    list,
    createKamal: (options) =>
      createKamal({
        bin: 'kamal',
        configDir,
        stateDir,
        env: { PATH: process.env.PATH ?? '', HOME: dir },
        findSecret(_destination, name) {
          const value = secrets.get(name);
          return value === undefined ? null : sensitive(value);
        },
        streamChild,
        killAfterMs: 1_000,
        configTimeoutMs: 60_000,
        configFreshMs: 600_000,
        log: createLog({ level: 'error', process: 'test', destination: new PassThrough() }),
        ...options,
      }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
};

export const openSession = async (kamal: Kamal, order: Partial<Parameters<Kamal['open']>[0]> = {}): Promise<KamalSession> => {
  const opened = await kamal.open({ deployId: 'deploy-1', destination: 'staging', fleetHostsOf: () => ['127.0.0.1'], ...order });
  if (opened.kind === 'refused') throw new Error(JSON.stringify(opened.problems));
  return opened.session;
};

/** Generous: the machine may be busy. */
export const runOptions = (options: Partial<RunOptions> = {}): RunOptions => ({
  onLine: () => undefined,
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  silentMs: 60_000,
  ...options,
});

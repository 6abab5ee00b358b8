import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { streamChild } from '../../../src/process/stream-child';
import type { DeployTestbed } from '../deploy-testbed';
import { type KeptProcess, startKeptProcess } from '../../tools/kept-process';
import { projectRoot } from '../../../src/project-root';
import { runProgram } from '../../tools/run-program';
import type { SubmissionEntry } from '../../gh/submissions-log';
import { writeDeployConfig } from './deploy-config';
import { findKamal } from './kamal-binary';
import { makeKamalEnv, playKamal, prepareRepository } from './run-kamal';
import { writePodmanSettings } from './podman';
import { requireKamalTestbed } from './prerequisites';
import { startTestbedHost, type TestbedHost } from './testbed-host';
import { prepareTestbedImages } from './testbed-images';
import { claimAddresses } from './testbed-addresses';
import { startTestbedRegistry } from './testbed-registry';

export interface KamalTestbedOptions {
  /** Everything is in here, and nothing of it is left after `stop`. */
  dir: string;
  /** Addresses, or how many; they are then of a network of their own, so that any number of test beds may run beside each other. */
  hosts?: number | readonly string[];
  service?: string;
  /** Hosts of each destination; by default `staging` with all of them. */
  destinations?: Record<string, readonly string[]>;
  /** False: empty host lists in `config/deploy.<destination>.yml`, as in ATM's. */
  fillHosts?: boolean;
  /** False: no secrets file is written, since the deployer brings them. */
  writeSecrets?: boolean;
  /** Where the containers find their Postgres, with the neighbours' tables. */
  databaseUrl: string;
  serviceSecret?: string;
  /** Further values of `env.secret`. */
  secrets?: Record<string, string>;
  variant?: 'main' | 'staging';
  /** Of the simulated workers' own times. */
  timeScale?: number;
  apiPort?: number;
  workerPort?: number;
  say?: (line: string) => void;
}

export interface KamalTestbed extends DeployTestbed<TestbedHost> {
  sshKey: string;
  sshPort: number;
  /** The simulated worker on that host, as the registry names it. */
  workerIdOf(ip: string): string;
  urlsOf(ip: string): { api: string; worker: string };
  /** What the simulated workers of all hosts did, oldest first. */
  submissions(): Promise<SubmissionEntry[]>;
}

export const sshPort = 2222;
/** The janitor ends containers that may be busy, on a machine that may be too. */
const cleanWithinMs = 60_000;

/** Hosts, registry and Kamal on this machine, all of them the real programs (kamal §6.2); the containers play GH (gh-container.ts). */
export const startKamalTestbed = async (options: KamalTestbedOptions): Promise<KamalTestbed> => {
  requireKamalTestbed();
  const program = path.join(projectRoot(), '.yardmaster/build/dev/kamal/testbed/gh-container.js');
  if (!existsSync(program))
    throw new Error(`${program} is not there: npm run test:deploys, or any other program of the bootstrap, compiles it`);
  const dir = path.resolve(options.dir);
  const { service = 'ghosthands', variant = 'staging', timeScale = 1, apiPort = 3100, workerPort = 3101, say } = options;
  const kamalBin = await findKamal({ say });
  await mkdir(dir, { recursive: true });

  const stopping: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stopping.splice(0).toReversed()) await end();
  };
  try {
    const janitor = await startJanitor(dir);
    stopping.push(janitor.stop);
    const ips =
      typeof options.hosts === 'object' ? options.hosts : await claimAddresses(options.hosts ?? 2, [sshPort, apiPort, workerPort]);
    const destinations = options.destinations ?? { staging: ips };
    const registry = await startTestbedRegistry(dir, service);
    stopping.push(registry.stop);
    const podman = await writePodmanSettings(dir, registry.server);
    const node = '/testbed/node';
    const images = await prepareTestbedImages({
      dir,
      server: registry.server,
      service,
      podman,
      node,
      entrypoint: [node, `/testbed/app/${path.relative(projectRoot(), program)}`],
    });

    const configDir = path.join(dir, 'work');
    const submissionsDir = path.join(configDir, 'submissions');
    const home = path.join(dir, 'home');
    await mkdir(submissionsDir, { recursive: true });
    await mkdir(home, { recursive: true });
    const sshKey = path.join(home, 'id_ed25519');
    await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'testbed', '-f', sshKey]);
    const authorizedKey = await readFile(`${sshKey}.pub`, 'utf8');
    const hosts = await Promise.all(ips.map(async (ip) => await startTestbedHost({ dir, ip, sshPort, service, authorizedKey, podman })));
    stopping.push(async () => {
      await Promise.all(hosts.map(async (host) => await host.stop()));
    });

    const secrets = {
      DATABASE_URL: options.databaseUrl,
      GH_SERVICE_SECRET: options.serviceSecret ?? 'testbed-service-secret',
      ...options.secrets,
    };
    await writeDeployConfig({
      folder: configDir,
      service,
      registry,
      sshPort,
      sshKey,
      hosts: destinations,
      fillHosts: options.fillHosts ?? true,
      secrets,
      writeSecrets: options.writeSecrets ?? true,
      clear: { GH_TIME_SCALE: String(timeScale), GH_VARIANT: variant, SUBMISSIONS_LOG: '/testbed/submissions/log.ndjson' },
      volumes: [
        ...['/usr', '/lib', '/lib64'].filter((folder) => existsSync(folder)).map((folder) => `${folder}:${folder}:ro`),
        `${process.execPath}:${node}:ro`,
        ...['.yardmaster/build', 'node_modules'].map((folder) => `${path.join(projectRoot(), folder)}:/testbed/app/${folder}:ro`),
        `${submissionsDir}:/testbed/submissions`,
      ],
      apiPort,
      workerPort,
    });
    const kamalEnv = makeKamalEnv({ bin: images.bin, home });
    await prepareRepository(configDir, kamalEnv);

    const find = (ip: string): TestbedHost => {
      const host = hosts.find((candidate) => candidate.ip === ip);
      if (!host) throw new Error(`no host ${ip} in this test bed`);
      return host;
    };
    return {
      kamalBin,
      kamalEnv,
      streamChild,
      configDir,
      service,
      destinations,
      registry,
      sshKey,
      sshPort,
      secrets,
      hosts,
      host: find,
      workerIdOf: (ip) => `gh-worker-${ip}`,
      urlsOf: (ip) => ({ api: `http://${ip}:${apiPort}`, worker: `http://${ip}:${workerPort}` }),
      push: images.push,
      tagMoving: registry.tagMoving,
      removeFromRegistry: registry.remove,
      ...playKamal({ kamalBin, kamalEnv, configDir, streamChild }),
      submissions: async () => await readSubmissions(path.join(submissionsDir, 'log.ndjson')),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** It is started first and stopped last, and cleans both times. */
const startJanitor = async (dir: string): Promise<KeptProcess> => {
  const janitor = await startKeptProcess({
    name: 'janitor',
    dir: path.join(dir, 'kept'),
    command: process.execPath,
    args: [path.join(projectRoot(), 'dev/kamal/testbed/janitor.mjs'), dir],
    stopSignal: 'SIGTERM',
    stopWithinMs: cleanWithinMs,
  });
  await janitor.untilReady(async () => (await readFile(janitor.logFile, 'utf8').catch(() => '')).includes('clean'), cleanWithinMs);
  return janitor;
};

const readSubmissions = async (file: string): Promise<SubmissionEntry[]> =>
  (await readFile(file, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SubmissionEntry)
    .toSorted((one, other) => one.at.localeCompare(other.at));

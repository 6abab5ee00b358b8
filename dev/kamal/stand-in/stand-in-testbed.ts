import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { streamChild as streamProcess, type StreamChild } from '../../../src/process/stream-child';
import { type DeployHost, type DeployTestbed, onlyVersion, versionsByRole } from '../deploy-testbed';
import { writeDeployConfig } from '../testbed/deploy-config';
import { makeKamalEnv, playKamal, prepareRepository } from '../testbed/run-kamal';
import { registryLogin } from '../testbed/testbed-registry';
import { projectRoot } from '../../../src/project-root';
import { digestOf, readImage, type StandInImage, startStandInRegistry } from './stand-in-registry';

export interface StandInTestbedOptions {
  /** Everything is in here; `stop` removes it. */
  dir: string;
  hosts?: readonly string[];
  service?: string;
  destinations?: Record<string, readonly string[]>;
  fillHosts?: boolean;
  writeSecrets?: boolean;
  secrets?: Record<string, string>;
  /** Control port of the simulator that plays GH on these hosts: a booted version then runs there, a stopped one does not. */
  simulatorUrl?: string;
  /** How long each command on a host takes. */
  stepMs?: number;
  /** `streamResident` (resident.ts) runs Kamal inside of this process; it is a process of its own otherwise. */
  streamChild?: StreamChild;
}

/** What happens at one step of one command (misbehaviour.mjs does it). Several fields of `do` come in this order. */
export interface Misbehaviour {
  /** Its first words: `deploy`, `app stop`. */
  on: string;
  /** `start` unless told otherwise. */
  at?: 'start' | 'pull' | 'lock' | 'stop' | 'boot' | 'booted' | 'prune' | 'unlock' | 'end';
  /** Always, unless told otherwise. */
  times?: number;
  do: {
    /** In the end, whatever happened. */
    exitCode?: number;
    /** It says its lines and changes nothing on the hosts. */
    noEffect?: boolean;
    print?: string[];
    printOnStderr?: string[];
    floodLines?: number;
    longLineBytes?: number;
    /** A line of characters of several bytes, in pieces that cut them. */
    cutUtf8?: boolean;
    /** One line that is overwritten by carriage returns. */
    progress?: boolean;
    unfinishedLine?: string;
    /** A child that holds our pipes open when we have ended. */
    grandchild?: { ms?: number; ignoreTerm?: boolean; ownSession?: boolean };
    ignoreSignals?: boolean;
    sleepMs?: number;
    /** Waits until it is there. */
    untilFile?: string;
    /** As `sleepMs`, with everything written before it. */
    silentMs?: number;
    /** A question that nobody answers. */
    prompt?: string;
    killSelf?: 'SIGINT' | 'SIGTERM' | 'SIGKILL';
    error?: { class?: string; message: string };
  };
}

const stepSchema = z.object({
  at: z.string(),
  pid: z.number(),
  destination: z.string().optional(),
  /** Those that `--hosts` named. */
  hosts: z.array(z.string()).optional(),
  command: z.array(z.string()),
  step: z.string(),
});
export type StandInStep = z.infer<typeof stepSchema>;

export interface StandInTestbed extends DeployTestbed {
  /** Replaces what was ordered before. */
  misbehave(...orders: Misbehaviour[]): Promise<void>;
  /** The same for one destination alone; both count. */
  misbehaveAt(destination: string, ...orders: Misbehaviour[]): Promise<void>;
  /** Every step that every run has come to, oldest first. */
  steps(): Promise<StandInStep[]>;
}

/** A test bed without containers and SSH, ready at once: dev/kamal/stand-in.mjs plays Kamal on hosts that are files. */
export const startStandInTestbed = async (options: StandInTestbedOptions): Promise<StandInTestbed> => {
  const dir = path.resolve(options.dir);
  const { service = 'ghosthands', secrets = { DATABASE_URL: 'postgres://127.0.0.1/none', GH_SERVICE_SECRET: 'testbed-service-secret' } } =
    options;
  const streamChild = options.streamChild ?? streamProcess;
  const ips = options.hosts ?? ['127.0.0.2', '127.0.0.3'];
  const destinations = options.destinations ?? { staging: ips };
  const folderOf = (name: string): string => path.join(dir, name);
  for (const name of ['bin', 'home', 'work', 'registry', ...ips.map((ip) => `hosts/${ip}`)])
    await mkdir(folderOf(name), { recursive: true });

  const { username, password } = registryLogin;
  const registry = await startStandInRegistry(folderOf('registry'), { username, password });
  await writeWhole(folderOf('state.json'), JSON.stringify({ stepMs: options.stepMs, simulatorUrl: options.simulatorUrl ?? null }));
  const kamalBin = folderOf('bin/kamal');
  const program = path.join(projectRoot(), 'dev/kamal/stand-in.mjs');
  // `exec`: signals and the pid are the stand-in's own.
  await writeFile(kamalBin, `#!/bin/sh\nKAMAL_STAND_IN_DIR='${dir}' exec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(kamalBin, 0o755);

  const configDir = folderOf('work');
  await writeDeployConfig({
    folder: configDir,
    service,
    registry: { server: registry.server, username, password },
    sshPort: 22,
    sshKey: folderOf('home/id_ed25519'),
    hosts: destinations,
    fillHosts: options.fillHosts ?? true,
    secrets,
    writeSecrets: options.writeSecrets ?? true,
    clear: {},
    volumes: [],
    apiPort: 3100,
    workerPort: 3101,
  });
  const kamalEnv = makeKamalEnv({ bin: folderOf('bin'), home: folderOf('home') });
  await prepareRepository(configDir, kamalEnv);

  const publish = async (tag: string, image: StandInImage): Promise<void> =>
    await writeWhole(folderOf(`registry/${tag}.json`), JSON.stringify(image));
  const order = async (file: string, orders: readonly Misbehaviour[]): Promise<void> => {
    const hasProcesses = streamChild === streamProcess;
    if (!hasProcesses && orders.some(needsProcess))
      throw new Error('`grandchild` and `ignoreSignals` need real processes: not in this test bed');
    await writeWhole(folderOf(file), JSON.stringify(orders));
  };
  const hosts = ips.map((ip) => openHost(folderOf(`hosts/${ip}`), ip, service));
  return {
    kamalBin,
    kamalEnv,
    streamChild,
    configDir,
    service,
    destinations,
    registry: {
      server: registry.server,
      username,
      password,
      digestOf: async (tag) => await Promise.resolve(readImage(folderOf('registry'), tag)?.digest ?? null),
    },
    secrets,
    hosts,
    host(ip) {
      const host = hosts.find((candidate) => candidate.ip === ip);
      if (!host) throw new Error(`no host ${ip} in this test bed`);
      return host;
    },
    push: async (version, { broken, wrongLabel = false } = {}) =>
      await publish(version, {
        digest: digestOf(`${service} ${version}`),
        service: wrongLabel ? `not-${service}` : service,
        broken: broken ?? null,
      }),
    async tagMoving(tag, version) {
      const image = readImage(folderOf('registry'), version);
      if (image === null) throw new Error(`the registry has no ${version}`);
      await publish(tag, image);
    },
    removeFromRegistry: async (version) => await rm(folderOf(`registry/${version}.json`), { force: true }),
    ...playKamal({ kamalBin, kamalEnv, configDir, streamChild }),
    misbehaveAt: async (name, ...orders) => await order(`control.${name}.json`, orders),
    misbehave: async (...orders) => await order('control.json', orders),
    steps: async () =>
      (await readFile(folderOf('steps.ndjson'), 'utf8').catch(() => ''))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => stepSchema.parse(JSON.parse(line))),
    async stop() {
      await registry.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};

const needsProcess = ({ do: { grandchild, ignoreSignals } }: Misbehaviour): boolean => grandchild !== undefined || ignoreSignals === true;

const containersSchema = z.array(
  z.object({ name: z.string(), state: z.string(), role: z.string(), destination: z.string(), version: z.string() }),
);

const openHost = (folder: string, ip: string, service: string): DeployHost => {
  const containers = async (): Promise<z.infer<typeof containersSchema>> =>
    containersSchema.parse(JSON.parse(await readFile(path.join(folder, 'containers.json'), 'utf8').catch(() => '[]')));
  const down = path.join(folder, 'ssh-down');
  return {
    ip,
    containers,
    runningVersions: async () => versionsByRole(await containers()),
    runningVersion: async () => onlyVersion(ip, versionsByRole(await containers())),
    images: async () => Object.keys(JSON.parse(await readFile(path.join(folder, 'images.json'), 'utf8').catch(() => '{}')) as object),
    lockHolder: async (destination) => {
      const lock = path.join(folder, `home/.kamal/lock-${service}-${destination}`);
      if (!existsSync(lock)) return null;
      return Buffer.from(await readFile(path.join(lock, 'details'), 'utf8').catch(() => ''), 'base64').toString('utf8');
    },
    stopSsh: async () => await writeFile(down, ''),
    startSsh: async () => await rm(down, { force: true }),
  };
};

/** A run that reads it meanwhile finds the old or the new one. */
const writeWhole = async (file: string, text: string): Promise<void> => {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
};

import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { type DeployContainer, type DeployHost, onlyVersion, versionsByRole } from '../deploy-testbed';
import { type KeptProcess, startKeptProcess } from '../../tools/kept-process';
import { runProgram } from '../../tools/run-program';
import { podmanArgs, podmanProgram, type PodmanSettings, writeDocker } from './podman';
import { programPath } from './prerequisites';

/** One machine: an sshd on an address of its own, a home, and containers that no other host sees. */
export interface TestbedHost extends DeployHost {
  /** The SSH user's, where Kamal keeps `.kamal/lock-*` and its audit log. */
  home: string;
  /** `docker …` as on that machine. */
  docker(...args: string[]): Promise<string>;
  /** Only the open connections end, as when a network breaks for a moment; the commands that they started go on. */
  cutSsh(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestbedHostOptions {
  dir: string;
  ip: string;
  sshPort: number;
  service: string;
  authorizedKey: string;
  podman: PodmanSettings;
}

const sshReadyWithinMs = 20_000;

export const startTestbedHost = async (options: TestbedHostOptions): Promise<TestbedHost> => {
  const { ip, service } = options;
  const folder = path.join(options.dir, 'hosts', ip);
  const home = path.join(folder, 'home');
  await mkdir(home, { recursive: true });
  const { bin } = await writeDocker(folder, options.podman);
  const configFile = await writeSshd(folder, home, bin, options);
  let sshd: KeptProcess | null = null;

  const startSsh = async (): Promise<void> => {
    if (sshd) return;
    sshd = await startKeptProcess({
      name: `sshd-${ip}`,
      dir: path.join(options.dir, 'kept'),
      // It starts itself anew for each connection, so the path must be absolute.
      command: programPath('sshd') ?? '/usr/sbin/sshd',
      args: ['-D', '-e', '-f', configFile],
      stopSignal: 'SIGTERM',
      stopWithinMs: 5_000,
    });
    await sshd.untilReady(async () => await accepts(ip, options.sshPort), sshReadyWithinMs);
  };
  const cutSsh = async (): Promise<void> => {
    if (sshd) for (const pid of sessionsOf(await sshd.serverPid())) kill(pid);
  };
  const stopSsh = async (): Promise<void> => {
    if (!sshd) return;
    const sessions = sessionsOf(await sshd.serverPid());
    await sshd.stop();
    sshd = null;
    for (const pid of sessions) kill(pid);
  };
  const docker = async (...args: string[]): Promise<string> => await runProgram(path.join(bin, 'docker'), args);
  const containers = async (): Promise<DeployContainer[]> =>
    parseContainers(await podman(folder, options, 'ps', '--all', '--format', 'json'));

  const runningVersions = async (): Promise<Record<string, string>> => versionsByRole(await containers());

  await startSsh();
  return {
    ip,
    home,
    containers,
    runningVersions,
    runningVersion: async () => onlyVersion(ip, await runningVersions()),
    async images() {
      const printed = await docker('images', '--format', '{{.Tag}}');
      return printed.split('\n').filter((tag) => tag !== '' && tag !== '<none>');
    },
    lockHolder: async (destination) =>
      await readFile(path.join(home, `.kamal/lock-${service}-${destination}/details`), 'utf8').then(
        (text) => Buffer.from(text, 'base64').toString('utf8'),
        () => null,
      ),
    docker,
    stopSsh,
    startSsh,
    cutSsh,
    stop: stopSsh,
  };
};

const podman = async (folder: string, { podman: settings }: TestbedHostOptions, ...args: string[]): Promise<string> =>
  await runProgram(podmanProgram(), [...podmanArgs(folder, settings), ...args], { env: { ...process.env, ...settings.env } });

/** HOME and PATH of this host for every command, since all hosts share one machine and one user (kamal §6.2). */
const writeSshd = async (folder: string, home: string, bin: string, options: TestbedHostOptions): Promise<string> => {
  const { ip, sshPort, authorizedKey, podman: settings } = options;
  const at = (name: string): string => path.join(folder, name);
  await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('host_key')]);
  await writeFile(at('authorized_keys'), authorizedKey);
  await writeFile(
    at('enter'),
    [
      '#!/bin/sh',
      `export HOME='${home}' KAMAL_TESTBED='${settings.env.KAMAL_TESTBED}' PATH='${bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'`,
      'cd "$HOME" && exec /bin/sh -c "${SSH_ORIGINAL_COMMAND:-/bin/sh}"',
      '',
    ].join('\n'),
  );
  await chmod(at('enter'), 0o755);
  await writeFile(
    at('sshd_config'),
    [
      `ListenAddress ${ip}:${sshPort}`,
      `HostKey ${at('host_key')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      `ForceCommand ${at('enter')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      'MaxStartups 100',
      'LogLevel ERROR',
      '',
    ].join('\n'),
  );
  // sshd refuses to start without it, whatever the configuration says.
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  return at('sshd_config');
};

const containersSchema = z
  .array(
    z.object({ Names: z.array(z.string()), Image: z.string(), State: z.string(), Labels: z.record(z.string(), z.string()).nullable() }),
  )
  .nullable();

const parseContainers = (json: string): DeployContainer[] =>
  (containersSchema.parse(JSON.parse(json)) ?? []).map(({ Names, Image, State, Labels }) => ({
    name: Names[0] ?? '',
    state: State,
    role: Labels?.role ?? '',
    destination: Labels?.destination ?? '',
    version: /:([^:/]+)$/.exec(Image)?.[1] ?? '',
  }));

/** sshd runs each connection in a child, which outlives it. */
const sessionsOf = (sshdPid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === sshdPid);

const parentOf = (pid: number): number | null => {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    // The process has ended.
    return null;
  }
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
};

const accepts = async (host: string, port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.setTimeout(1_000, () => socket.destroy());
  });

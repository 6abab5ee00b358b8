import { chmod, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../../src/project-root';
import { programPath } from './prerequisites';

/** What every podman of a test bed sees (kamal §6.2). */
export interface PodmanSettings {
  /** podman refuses a runroot of more than 50 characters, so it is elsewhere; `run` in the directory of the test bed leads there. */
  runFolder: string;
  /** `KAMAL_TESTBED` marks whatever runs for this test bed, so that the janitor finds it. */
  env: Record<string, string>;
}

export const writePodmanSettings = async (dir: string, registry: string): Promise<PodmanSettings> => {
  const folder = path.join(dir, 'podman');
  const networks = path.join(folder, 'networks');
  const runFolder = await mkdtemp('/run/testbed-');
  await symlink(runFolder, path.join(dir, 'run'));
  await mkdir(networks, { recursive: true });
  const containersConf = path.join(folder, 'containers.conf');
  const registriesConf = path.join(folder, 'registries.conf');
  const policy = path.join(folder, 'policy.json');
  // Limits within what a container of our own may have; a lock file for each storage, else all of the machine share one.
  await writeFile(
    containersConf,
    [
      '[containers]',
      'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]',
      '[engine]',
      'runtime = "runc"',
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      'lock_type = "file"',
      '[network]',
      `network_config_dir = ${JSON.stringify(networks)}`,
      '',
    ].join('\n'),
  );
  await writeFile(registriesConf, `[[registry]]\nlocation = ${JSON.stringify(registry)}\ninsecure = true\n`);
  await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  return { runFolder, env: { CONTAINERS_CONF: containersConf, CONTAINERS_REGISTRIES_CONF: registriesConf, KAMAL_TESTBED: dir } };
};

/** A `docker` in `folder`/bin with containers and images of its own in `folder`/store. */
export const writeDocker = async (folder: string, settings: PodmanSettings): Promise<{ bin: string; env: Record<string, string> }> => {
  const bin = path.join(folder, 'bin');
  const store = path.join(folder, 'store');
  const authFile = path.join(folder, 'auth.json');
  await mkdir(bin, { recursive: true });
  await mkdir(store, { recursive: true });
  // podman fails on a file that is not there yet.
  await writeFile(authFile, '{}');
  const env = { ...settings.env, TESTBED_STORE: store, TESTBED_RUN: runroot(folder, settings), REGISTRY_AUTH_FILE: authFile };
  const wrapper = await readFile(path.join(projectRoot(), 'dev/kamal/testbed/podman-as-docker.sh'), 'utf8');
  const [, ...lines] = wrapper.split('\n');
  const exports = Object.entries(env).map(([name, value]) => `export ${name}='${value}'`);
  const file = path.join(bin, 'docker');
  await writeFile(file, ['#!/usr/bin/env bash', ...exports, ...lines].join('\n'));
  await chmod(file, 0o755);
  return { bin, env };
};

export const podmanArgs = (folder: string, settings: PodmanSettings): string[] => {
  const store = path.join(folder, 'store');
  return ['--root', path.join(store, 'root'), '--runroot', runroot(folder, settings), '--tmpdir', path.join(store, 'tmp')];
};

const runroot = (folder: string, { runFolder }: PodmanSettings): string => path.join(runFolder, path.basename(folder));

export const podmanProgram = (): string => programPath('podman') ?? 'podman';

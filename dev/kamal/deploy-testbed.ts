import type { StreamChild } from '../../src/process/stream-child';

/**
 * What deploys are tested on: hosts with a Kamal, a registry and a Kamal project in ATM's shape. The real one is testbed/kamal-testbed.ts; the
 * stand-in's, stand-in/stand-in-testbed.ts, runs anywhere and misbehaves on demand.
 */
export interface DeployTestbed<Host extends DeployHost = DeployHost> {
  kamalBin: string;
  /** The whole environment of a Kamal. Its output is block-buffered, as it is by itself. */
  kamalEnv: Record<string, string>;
  /** How its Kamal is run: as a process, or inside of this one. */
  streamChild: StreamChild;
  /** Where Kamal is started: `config/deploy.yml`, `config/deploy.<destination>.yml`, `.kamal`. */
  configDir: string;
  service: string;
  destinations: Record<string, readonly string[]>;
  registry: { server: string; username: string; password: string; digestOf(tag: string): Promise<string | null> };
  /** Values of `env.secret` by name; the registry's password is `KAMAL_REGISTRY_PASSWORD`. */
  secrets: Record<string, string>;
  hosts: Host[];
  host(ip: string): Host;
  push(version: string, options?: PushOptions): Promise<void>;
  /** Lets a tag such as `staging` point to that version, with the same digest. */
  tagMoving(tag: string, version: string): Promise<void>;
  removeFromRegistry(version: string): Promise<void>;
  /** Runs Kamal to its end. */
  kamal(...args: string[]): Promise<KamalRun>;
  /** The same for somebody who holds the lock already (KAMAL_LOCK=true). */
  kamalWithLock(...args: string[]): Promise<KamalRun>;
  stop(): Promise<void>;
}

export interface KamalRun {
  code: number;
  /** Both streams, as they came. */
  output: string;
}

export interface PushOptions {
  /** `exits`: its process ends at once; `exits-late`: only after some seconds; `mute`: it runs and never answers a port. */
  broken?: 'exits' | 'exits-late' | 'mute';
  /** The image says that it belongs to another service, which Kamal refuses. */
  wrongLabel?: boolean;
}

export interface DeployHost {
  ip: string;
  /** Versions of the running containers, by role. */
  runningVersions(): Promise<Record<string, string>>;
  /** The one version that all running containers have; null when none runs; throws when they differ. */
  runningVersion(): Promise<string | null>;
  containers(): Promise<DeployContainer[]>;
  /** Tags that this host holds. */
  images(): Promise<string[]>;
  /** The text of Kamal's lock, or null when it is free. */
  lockHolder(destination: string): Promise<string | null>;
  /** Nobody can connect any more; containers go on. */
  stopSsh(): Promise<void>;
  startSsh(): Promise<void>;
}

export interface DeployContainer {
  name: string;
  /** Docker's word: `running`, `exited`, `created`, … */
  state: string;
  role: string;
  destination: string;
  version: string;
}

export const versionsByRole = (containers: readonly DeployContainer[]): Record<string, string> =>
  Object.fromEntries(containers.filter(({ state }) => state === 'running').map(({ role, version }) => [role, version]));

export const onlyVersion = (ip: string, byRole: Record<string, string>): string | null => {
  const versions = [...new Set(Object.values(byRole))];
  if (versions.length > 1) throw new Error(`${ip} runs ${versions.join(' and ')}`);
  return versions[0] ?? null;
};

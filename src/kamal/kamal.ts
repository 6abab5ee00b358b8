import type { KamalEnd } from './run';
import type { KamalCommand } from './commands';
import type { Registry } from './registry';
import type { Redact } from '../domain/redact';
import type { Sensitive } from '../domain/sensitive';
import type { Log } from '../log';
import type { StreamChild } from '../process/stream-child';

export interface KamalOptions {
  /** The program: a path, or a name on the PATH of `env`. */
  bin: string;
  /** The directory of their Kamal project: `config/deploy.yml`, perhaps `.kamal/hooks`. It is read and never written. */
  configDir: string;
  /** Ours: private directories and pid files, one directory for each deploy. */
  stateDir: string;
  /** All of Kamal's environment (PATH, HOME, SSH_AUTH_SOCK, LD_LIBRARY_PATH …): ours holds secrets that are none of its business. */
  env: Readonly<Record<string, string>>;
  findSecret: (destination: string, name: string) => Sensitive<string> | null;
  /** Runs one command of it. */
  streamChild: StreamChild;
  /** From the first signal to the last, for the whole group. */
  killAfterMs: number;
  /** For `kamal config`, which evaluates the ERB of their files. */
  configTimeoutMs: number;
  /** How long what their ERB came to is used while the files stay as they are: it may read more than these. */
  configFreshMs: number;
  log: Log;
}

export interface Kamal {
  /** Names of what there is a file for. */
  listDestinations(): Promise<string[]>;
  /** What the files say of one; Kamal is only asked where they have ERB. */
  readDestination(destination: string): Promise<KnownDestination>;
  /** Makes the private directory in which Kamal runs for this deploy, and has Kamal read the configuration. Whoever opens closes. */
  open(order: OpenOrder): Promise<OpenedKamal>;
  /**
   * Ends what a killed deployer has left of a deploy (whoever owned it) and removes its private directories; without a deploy: of all whose owner
   * is gone.
   */
  endLeftovers(deployId?: string): Promise<Leftovers>;
}

export interface OpenOrder {
  deployId: string;
  destination: string;
  /** Fills a role that has no hosts. */
  fleetHostsOf: (role: string) => readonly string[];
  /** A look is no deploy: their hooks have nothing to do with it, and secrets in their environment. */
  skipsHooks?: boolean;
  /** What was read when it began is good for all of it, whatever an ERB that fails says later. */
  isUnderWay?: boolean;
}

export interface KnownDestination {
  service: string;
  destination: string;
  /** As their files have them. The primary host, which carries Kamal's lock, is the first. */
  hosts: { host: string; roles: string[] }[];
  /** Roles whose list of hosts is empty in their files: the fleet fills it. */
  rolesFromFleet: string[];
  /** Names of all secrets that Kamal will ask for, the registry's included. */
  secretNames: string[];
  registry: KnownRegistry | null;
  /** How long Kamal lets a container take until it is ready (`deploy_timeout`). */
  deployTimeoutSeconds: number;
  /** Why it cannot be deployed as it is; null: it can. */
  problem: string | null;
}

export interface KnownRegistry {
  /** Host and perhaps port. */
  server: string;
  /** Repository within the registry. */
  image: string;
  username: string | null;
  /** Name of the secret that holds the user name, where it is one. */
  usernameName: string | null;
  passwordName: string | null;
}

export type OpenedKamal =
  | { kind: 'opened'; session: KamalSession }
  /** `known`: as far as it could be read. */
  | { kind: 'refused'; problems: { check: 'config' | 'secrets'; detail: string }[]; known: KnownDestination | null };

export interface KamalSession {
  /** With the fleet's hosts in their place. */
  readonly destination: KnownDestination;
  /** Null: the configuration names none that can be asked. */
  readonly registry: Registry | null;
  /** Names of secrets that are too short to be hidden: whoever reads the log has to know. */
  readonly shownSecrets: readonly string[];
  /** Hides this destination's secrets too. Every line and every output of `run` has gone through it. */
  readonly redact: Redact;
  run(command: KamalCommand, options: RunOptions): Promise<KamalEnd>;
  /** Removes the private directory, always; a command that still runs is ended before. */
  close(): Promise<void>;
}

export interface RunOptions {
  /**
   * Each line as soon as it is complete, redacted. While a promise of it is open nothing more is read, so that a flood waits in Kamal and not in
   * our memory. A rejection stops the command.
   */
  onLine: (line: { stream: 'stdout' | 'stderr'; line: string }) => void | Promise<void>;
  signal: AbortSignal;
  timeoutMs: number;
  /** Without a byte of output for so long it is ended as `silent`: it waits for a person who is not there. */
  silentMs: number;
  /** The destination's lock is held by us: Kamal neither takes nor releases it. */
  hasLock?: boolean;
}

export interface Leftovers {
  /** Commands that still ran and were ended. */
  endedCommands: number;
  /** Those that could not be ended, or could not be told from somebody else's: pid and why. */
  problems: string[];
  removedDirectories: number;
}

/** The arguments of one Kamal command, without a secret among them: everybody on the machine can read them. */
export interface KamalCommand {
  /** For a person: `app stop`. */
  name: string;
  args: readonly string[];
  /**
   * Asked of each of these hosts by itself (and of each of its roles), and the answers put under headings of ours: Kamal prints what its hosts
   * answer as it comes, heading and answer apart, so that of several at once nobody can tell whose is whose.
   */
  each?: { hosts: readonly string[]; by: 'host' | 'role' };
}

// The destination is added by the session, to all of them. `-h` is hosts, not help (kamal §1); a value after `=` is never taken for an option.
const toHosts = (hosts: readonly string[]): string => `--hosts=${hosts.join(',')}`;
const ofVersion = (version: string): string => `--version=${version}`;

export const version = (): KamalCommand => ({ name: 'version', args: ['version'] });

/** Parses and validates the whole configuration; prints it with its secrets hidden. */
export const config = (): KamalCommand => ({ name: 'config', args: ['config'] });

/**
 * The version is written into the lock for people to read. `hosts` is the primary host of all, which carries the lock (kamal §4): without them Kamal makes
 * a directory on every host before, and one that is silent keeps it from taking the lock.
 */
export const lockAcquire = ({
  message,
  version: locked,
  hosts,
}: {
  message: string;
  version: string;
  hosts: readonly string[];
}): KamalCommand => ({
  name: 'lock acquire',
  args: ['lock', 'acquire', `--message=${message}`, ofVersion(locked), toHosts(hosts)],
});

/** Whoever holds it: look before. */
export const lockRelease = (): KamalCommand => ({ name: 'lock release', args: ['lock', 'release'] });

export const lockStatus = (): KamalCommand => ({ name: 'lock status', args: ['lock', 'status'] });

/** Pulls and checks the label `service`; removes the local tag before, so never for a version that runs or is the way back (kamal §1). */
export const buildPull = (pulled: string, hosts: readonly string[]): KamalCommand => ({
  name: `build pull ${pulled}`,
  args: ['build', 'pull', ofVersion(pulled), toHosts(hosts)],
});

export const appStop = (hosts: readonly string[]): KamalCommand => ({
  name: `app stop on ${hosts.join(', ')}`,
  args: ['app', 'stop', toHosts(hosts)],
});

/** Starts the container of a version that is there. Exit 0 says nothing: Kamal ignores that there is none. */
export const appStart = (started: string, hosts: readonly string[]): KamalCommand => ({
  name: `app start ${started} on ${hosts.join(', ')}`,
  args: ['app', 'start', ofVersion(started), toHosts(hosts)],
});

/** `--skip-push`: nothing is built. */
export const deployVersion = (deployed: string, hosts: readonly string[]): KamalCommand => ({
  name: `deploy ${deployed} on ${hosts.join(', ')}`,
  args: ['deploy', '--skip-push', ofVersion(deployed), toHosts(hosts)],
});

/**
 * The same for each host by itself. Of several in one command one that cannot be reached makes the whole of it fail, whatever became of the others
 * (kamal §2), and what comes after its failure is done nowhere.
 */
export const hostByHost = (makeCommand: (hosts: readonly string[]) => KamalCommand, hosts: readonly string[]): KamalCommand => {
  const { name, args } = makeCommand(hosts);
  return { name, args: args.filter((arg) => arg !== toHosts(hosts)), each: { hosts, by: 'host' } };
};

/** The version that runs, of each role: Kamal by itself tells that of a host's first role alone. */
export const appVersion = (hosts: readonly string[]): KamalCommand => ({
  name: 'app version',
  args: ['app', 'version', '--quiet'],
  each: { hosts, by: 'role' },
});

/** Of the disk that holds the images; `/` where Docker does not tell. It needs ssh alone, so it also shows that the host can be reached. */
export const diskSpace = (hosts: readonly string[]): KamalCommand => ({
  name: 'server exec df',
  args: [
    'server',
    'exec',
    '--quiet',
    `df -Pk "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || echo /)" 2>/dev/null || df -Pk /`,
  ],
  each: { hosts, by: 'host' },
});

/** The last 50 lines of each host. */
export const audit = (hosts: readonly string[]): KamalCommand => ({
  name: 'audit',
  args: ['audit', '--quiet'],
  each: { hosts, by: 'host' },
});

import { existsSync } from 'node:fs';
import path from 'node:path';

/** Debian's names; what each is for is in kamal §6.2. */
const tools = [
  { program: 'podman', package: 'podman' },
  { program: 'runc', package: 'runc' },
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'sshd', package: 'openssh-server' },
  { program: 'ssh-keygen', package: 'openssh-client' },
  { program: 'tar', package: 'tar' },
  { program: 'git', package: 'git' },
];

/** Debian's users have no sbin on their PATH, and some of these live there. */
const folders = (): string[] => [
  ...(process.env.PATH ?? '').split(path.delimiter).filter(Boolean),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
];

export const programPath = (program: string): string | undefined =>
  folders()
    .map((folder) => path.join(folder, program))
    .find((file) => existsSync(file));

export type TestbedPrerequisites = { ok: true } | { ok: false; missing: string[] };

/** Whether containers, registry and sshd can be started here: as root, on Linux, with Debian's packages. Kamal itself is found apart. */
export const canRunKamalTestbed = (): TestbedPrerequisites => {
  if (process.platform !== 'linux') return { ok: false, missing: [`Linux (this is ${process.platform})`] };
  const missing = tools
    .filter(({ program }) => programPath(program) === undefined)
    .map((tool) => `${tool.program} (package ${tool.package})`);
  if (process.getuid?.() !== 0) missing.push('root (containers and sshd are started as root)');
  return missing.length === 0 ? { ok: true } : { ok: false, missing };
};

/** For those who cannot go on without it. */
export const requireKamalTestbed = (): void => {
  const found = canRunKamalTestbed();
  if (found.ok) return;
  const packages = tools.filter(({ program }) => programPath(program) === undefined).map((tool) => tool.package);
  const advice = packages.length > 0 ? `: apt-get install --no-install-recommends ${packages.join(' ')}` : '';
  throw new Error(`Kamal cannot be run against real containers here, since these are missing: ${found.missing.join(', ')}${advice}`);
};

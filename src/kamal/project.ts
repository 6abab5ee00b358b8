import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Document } from 'yaml';
import { deployNamePattern } from '../contracts/deploy';
import { KamalConfigError, parseConfigFile, readConfig, type ConfigFacts } from './config';
import type { KnownDestination } from './kamal';

/** What their directory says about one destination. */
export interface Project {
  /** As it is written, for Kamal to read. */
  base: string;
  /** Of the destination; may be changed. */
  document: Document;
  facts: ConfigFacts;
}

export const listDestinationNames = async (configDir: string): Promise<string[]> =>
  (await readdir(path.join(configDir, 'config')).catch(unreadable('config')))
    .flatMap((name) => /^deploy\.(.+)\.yml$/.exec(name)?.[1] ?? [])
    .filter((name) => deployNamePattern.test(name))
    .toSorted();

export const readProject = async (configDir: string, destination: string): Promise<Project> => {
  const baseFile = 'config/deploy.yml';
  const ownFile = `config/deploy.${destination}.yml`;
  const [base, own] = await Promise.all([baseFile, ownFile].map(async (file) => await read(configDir, file)));
  const document = parseConfigFile(own ?? '', ownFile);
  // An empty file says nothing over the other one.
  if (document.contents === null) document.contents = document.createNode({});
  return { base: base ?? '', document, facts: readConfig(parseConfigFile(base ?? '', baseFile), document) };
};

const read = async (configDir: string, file: string): Promise<string> =>
  await readFile(path.join(configDir, file), 'utf8').catch(unreadable(file));

const unreadable =
  (name: string) =>
  (error: unknown): never => {
    throw new KamalConfigError(`${name} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`);
  };

/** Each host once, with all of its roles; the primary host first. */
export const makeKnownDestination = (
  destination: string,
  { service, rolesFromFleet, secretNames, registry }: ConfigFacts,
  roles: ConfigFacts['roles'],
): KnownDestination => {
  const names = [...new Set(roles.flatMap(({ hosts }) => hosts))];
  return {
    service,
    destination,
    hosts: names.map((host) => ({ host, roles: roles.filter(({ hosts }) => hosts.includes(host)).map(({ role }) => role) })),
    rolesFromFleet,
    secretNames,
    registry,
    problem: null,
  };
};

/** What Kamal reads first: block buffering would hold its lines back for seconds (kamal §5). */
const flushFile = 'yardmaster_flush';

/** Finds it wherever the directory is; a path in RUBYOPT must have no space. */
export const rubyEnvironment = (dir: string, { RUBYOPT, RUBYLIB }: Readonly<Record<string, string>>): Record<string, string> => ({
  RUBYOPT: [`-r${flushFile}`, RUBYOPT].filter((part) => part !== undefined && part !== '').join(' '),
  RUBYLIB: [path.join(dir, 'ruby'), RUBYLIB].filter((part) => part !== undefined && part !== '').join(path.delimiter),
});

/**
 * Writes a copy of their project for one deploy: its configuration, its secrets, and links to everything else, so that hooks and the files that they
 * use are found where they are. Answers where Kamal is to be started. The directory itself is for us alone.
 */
export const writeProject = async (
  dir: string,
  { configDir, destination, project, secrets }: { configDir: string; destination: string; project: Project; secrets: string },
): Promise<string> => {
  const at = (...names: string[]): string => path.join(dir, 'project', ...names);
  await mkdir(at('config'), { recursive: true, mode: 0o700 });
  await mkdir(at('.kamal'), { mode: 0o700 });
  await mkdir(path.join(dir, 'ruby'), { mode: 0o700 });
  await writeFile(path.join(dir, 'ruby', `${flushFile}.rb`), '$stdout.sync = true\n$stderr.sync = true\n');

  const files = new Map([
    ['config/deploy.yml', project.base],
    [`config/deploy.${destination}.yml`, project.document.toString()],
    ['.kamal/secrets-common', ''],
    [`.kamal/secrets.${destination}`, secrets],
  ]);
  for (const [file, content] of files) await writeFile(at(file), content, { mode: 0o600, flag: 'wx' });

  for (const folder of ['.', 'config', '.kamal']) {
    for (const name of await readdir(path.join(configDir, folder)).catch(() => [])) {
      const file = path.join(folder, name);
      // Their own secrets are none of ours: another file of them would be read beside ours.
      if (files.has(file) || ['config', '.kamal'].includes(file) || /^\.kamal\/secrets/.test(file)) continue;
      await symlink(path.resolve(configDir, file), at(file));
    }
  }
  return at();
};

import { mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Document } from 'yaml';
import { deployNamePattern } from '../contracts/deploy';
import { KamalConfigError, parseConfigFile, readConfig, type ConfigFacts } from './config';
import { baseFile, escapeErb, ownFileOf, type ProjectTexts } from './erb';
import type { KnownDestination } from './kamal';

/** What their directory says about one destination. */
export interface Project {
  /** As Kamal reads it. */
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

export const readTexts = async (configDir: string, destination: string): Promise<ProjectTexts> => {
  const [base, own] = await Promise.all([baseFile, ownFileOf(destination)].map(async (file) => await read(configDir, file)));
  return { base: base ?? '', own: own ?? '' };
};

/** `texts`: with their ERB evaluated. */
export const parseProject = (texts: ProjectTexts, destination: string): Project => {
  const document = parseConfigFile(texts.own, ownFileOf(destination));
  // An empty file says nothing over the other one.
  if (document.contents === null) document.contents = document.createNode({});
  return { base: texts.base, document, facts: readConfig(parseConfigFile(texts.base, baseFile), document) };
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
  { service, rolesFromFleet, secretNames, registry, deployTimeoutSeconds }: ConfigFacts,
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
    deployTimeoutSeconds,
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
  {
    configDir,
    destination,
    project,
    secrets,
  }: { configDir: string; destination: string; project: Pick<Project, 'base' | 'document'>; secrets: string },
): Promise<string> =>
  await writeFiles(dir, {
    configDir,
    files: new Map([
      [baseFile, escapeErb(project.base)],
      [ownFileOf(destination), escapeErb(project.document.toString())],
      ['.kamal/secrets-common', ''],
      [`.kamal/secrets.${destination}`, secrets],
    ]),
  });

/** The same for a look at what their ERB comes to, which is before anybody knows of which secrets they speak. */
export const writeUnread = async (dir: string, { configDir, destination }: { configDir: string; destination: string }): Promise<string> =>
  await writeFiles(dir, {
    configDir,
    files: new Map([baseFile, ownFileOf(destination), '.kamal/secrets-common'].map((file) => [file, ''])),
  });

const writeFiles = async (
  dir: string,
  { configDir, files }: { configDir: string; files: ReadonlyMap<string, string> },
): Promise<string> => {
  const at = (...names: string[]): string => path.join(dir, 'project', ...names);
  await rm(at(), { recursive: true, force: true });
  await mkdir(at('config'), { recursive: true, mode: 0o700 });
  await mkdir(at('.kamal'), { mode: 0o700 });
  await mkdir(path.join(dir, 'ruby'), { recursive: true, mode: 0o700 });
  await writeFile(path.join(dir, 'ruby', `${flushFile}.rb`), '$stdout.sync = true\n$stderr.sync = true\n');
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

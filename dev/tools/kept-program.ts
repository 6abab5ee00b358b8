import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** A program of several files, each with its checksum: the program itself, and the libraries that it loads. */
export interface PinnedProgram {
  /** The folder in the cache is `<name>-<version>`. */
  name: string;
  version: string;
  /** Of `parts`, what the launcher starts. */
  program: string;
  parts: readonly { name: string; sha256: string }[];
  /** Which of them its environment names. */
  env: Readonly<Record<string, string>>;
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export const cacheFolder = (env: NodeJS.ProcessEnv): string =>
  path.join(env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'yardmaster');

const folderOf = ({ name, version }: PinnedProgram, env: NodeJS.ProcessEnv): string => path.join(cacheFolder(env), `${name}-${version}`);

/** Answers the launcher, or null where it is not complete. Our own copy, too, is compared each time: somebody else may have written the files. */
export async function findKept(pinned: PinnedProgram, env: NodeJS.ProcessEnv): Promise<string | null> {
  const folder = folderOf(pinned, env);
  for (const part of pinned.parts) {
    const bytes = await readFile(path.join(folder, part.name)).catch(() => null);
    if (bytes === null || sha256(bytes) !== part.sha256) return null;
  }
  const launcher = path.join(folder, pinned.name);
  return (await readFile(launcher, 'utf8').catch(() => '')) === launcherIn(folder, pinned) ? launcher : null;
}

/** Written beside the place and renamed: two starts at once, or a kill, never leave half a program. */
export async function keepProgram(pinned: PinnedProgram, env: NodeJS.ProcessEnv, read: (part: string) => Buffer): Promise<string> {
  const folder = folderOf(pinned, env);
  await mkdir(folder, { recursive: true });
  for (const { name } of pinned.parts) await put(folder, name, read(name));
  await put(folder, pinned.name, launcherIn(folder, pinned));
  const launcher = await findKept(pinned, env);
  if (launcher === null) throw new Error(`what was put into ${folder} has not the pinned checksums`);
  return launcher;
}

async function put(folder: string, name: string, content: Buffer | string): Promise<void> {
  const half = path.join(folder, `${name}.${process.pid}`);
  try {
    await writeFile(half, content);
    await chmod(half, 0o755);
    await rename(half, path.join(folder, name));
  } finally {
    await rm(half, { force: true });
  }
}

/** `exec`: signals and the pid are the program's own. */
const launcherIn = (folder: string, { program, env }: PinnedProgram): string => {
  const variables = Object.entries(env).map(([name, part]) => `${name}='${path.join(folder, part)}'`);
  return `#!/bin/sh\n${variables.join(' ')} exec '${folder}/${program}' "$@"\n`;
};

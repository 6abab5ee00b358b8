import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

export interface KeptTool {
  name: string;
  /** All that is pinned: other pins are another folder. */
  pins: string;
  install: (folder: string) => Promise<void>;
}

/** The folder of a tool that one lane alone needs, filled once into the cache. It gets its name when it is whole: a kill leaves no half of it. */
export const keptTool = async ({ name, pins, install }: KeptTool): Promise<string> => {
  const cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'yardmaster');
  const folder = path.join(cache, `${name}-${createHash('sha256').update(pins).digest('hex').slice(0, 12)}`);
  if (await isThere(folder)) return folder;
  const half = `${folder}.${process.pid}`;
  try {
    await mkdir(half, { recursive: true });
    await install(half);
    await rename(half, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return folder;
};

const isThere = async (folder: string): Promise<boolean> =>
  await stat(folder).then(
    () => true,
    () => false,
  );

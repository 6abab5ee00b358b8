import { mkdir, mkdtemp, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { endLeftover, identifyProcess, isProcess } from '../process/leftovers';
import type { Leftovers } from './kamal';

/** INT first: Ruby's own way of ending, in which Kamal closes its connections. */
export const gracefulSignals = ['SIGINT', 'SIGTERM'] as const;

/** It becomes a directory's name. */
const deployIdPattern = /^[A-Za-z0-9][\w.-]{0,199}$/;

/** `<stateDir>/<deployId>/<random>`: project (configuration and secrets), groups (pid files) and who owns it. For nobody else to read. */
export const createPrivateDirectory = async (stateDir: string, deployId: string): Promise<string> => {
  if (!deployIdPattern.test(deployId)) throw new Error(`${JSON.stringify(deployId)} is no id of a deploy`);
  const parent = path.join(stateDir, deployId);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const dir = await mkdtemp(path.join(parent, 'run-'));
  await writeFile(path.join(dir, 'owner.json'), JSON.stringify(identifyProcess(process.pid)));
  await mkdir(path.join(dir, 'groups'), { mode: 0o700 });
  return dir;
};

/** Ends what still runs for it, and removes it. Secrets go in any case; pid files of what cannot be ended stay for the next try. */
export const removePrivateDirectory = async (dir: string, { killAfterMs }: { killAfterMs: number }): Promise<Leftovers> => {
  const found: Leftovers = { endedCommands: 0, problems: [], removedDirectories: 0 };
  for (const name of await listNames(path.join(dir, 'groups'))) {
    const left = await endLeftover(path.join(dir, 'groups', name), { killAfterMs, gracefulSignals });
    if (left.kind === 'ended') found.endedCommands += 1;
    if (left.kind === 'problem') found.problems.push(left.problem);
  }
  await rm(path.join(dir, 'project'), { recursive: true, force: true });
  if (found.problems.length > 0) return found;
  await rm(dir, { recursive: true, force: true });
  // Another run of the deploy may have its own.
  await rmdir(path.dirname(dir)).catch(() => undefined);
  return { ...found, removedDirectories: 1 };
};

/** Those of one deploy, or all whose owner is gone. */
export const listPrivateDirectories = async (stateDir: string, deployId?: string): Promise<string[]> => {
  if (deployId !== undefined && !deployIdPattern.test(deployId)) return [];
  const deploys = deployId === undefined ? await listNames(stateDir) : [deployId];
  const dirs: string[] = [];
  for (const deploy of deploys) {
    for (const name of await listNames(path.join(stateDir, deploy))) {
      const dir = path.join(stateDir, deploy, name);
      if (deployId !== undefined || !(await isOwned(dir))) dirs.push(dir);
    }
  }
  return dirs;
};

const isOwned = async (dir: string): Promise<boolean> => {
  // Without one it was cut off at its very beginning.
  const owner = await readFile(path.join(dir, 'owner.json'), 'utf8').catch(() => '');
  return owner !== '' && isProcess(JSON.parse(owner));
};

const listNames = async (dir: string): Promise<string[]> => await readdir(dir).catch(() => []);

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { projectRoot } from '../../src/project-root';

/** How one server is run under dev/tools/keeper.mjs, which ends it when this process ends, even by SIGKILL. */
export interface KeptProcessOptions {
  /** Names the log and pid files, and the server in errors. */
  name: string;
  dir: string;
  command: string;
  args: string[];
  /** Beside our own environment; never on a command line, since it may hold secrets. */
  env?: Record<string, string>;
  uid?: number;
  gid?: number;
  stopSignal: NodeJS.Signals;
  stopWithinMs: number;
}

export interface KeptProcess {
  logFile: string;
  serverPid: () => Promise<number>;
  /** Rejects when the server ends before `isReady` answers true; the error carries the end of its log. */
  untilReady: (isReady: () => Promise<boolean>, withinMs: number) => Promise<void>;
  /** Settles when the server has ended, whoever ended it. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

/** What the keeper writes. */
const pidsSchema = z.object({ ownerPid: z.int(), keeperPid: z.int(), serverPid: z.int() });

export async function startKeptProcess(options: KeptProcessOptions): Promise<KeptProcess> {
  await mkdir(options.dir, { recursive: true });
  const pidFile = pidFileOf(options);
  const logFile = path.join(options.dir, `${options.name}.log`);
  await endPredecessor(options);

  const logStartsAt = await sizeOf(logFile);
  const { name: _name, dir: _dir, env, ...run } = options;
  const order = JSON.stringify({ ...run, ownerPid: process.pid, pidFile, logFile });
  const keeper = spawn(process.execPath, [path.join(projectRoot(), 'dev/tools/keeper.mjs'), order], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, ...env },
  });
  // The keeper is gone already when this fires, and `ended` tells.
  keeper.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => keeper.once('close', () => resolve()));

  return {
    logFile,
    ended,
    serverPid: async () => (await readPids(pidFile))?.serverPid ?? Promise.reject(new Error(`${options.name} is not running`)),
    untilReady: (isReady, withinMs) => untilReady({ name: options.name, keeper, logFile, logStartsAt, isReady, withinMs }),
    stop: async () => {
      keeper.stdin.end();
      await ended;
    },
  };
}

async function untilReady(wait: {
  name: string;
  keeper: ChildProcess;
  logFile: string;
  logStartsAt: number;
  isReady: () => Promise<boolean>;
  withinMs: number;
}): Promise<void> {
  const deadline = Date.now() + wait.withinMs;
  const failed = async (what: string): Promise<Error> => {
    const tail = (await readFile(wait.logFile, 'utf8').catch(() => ''))
      .slice(wait.logStartsAt)
      .trimEnd()
      .split('\n')
      .slice(-12)
      .join('\n  ');
    return new Error(`${wait.name} ${what}. The end of ${wait.logFile}:\n  ${tail}`);
  };
  while (!(await wait.isReady())) {
    if (wait.keeper.exitCode !== null || wait.keeper.signalCode !== null) throw await failed(`ended with code ${wait.keeper.exitCode}`);
    if (Date.now() > deadline) throw await failed(`did not answer within ${wait.withinMs / 1000} s`);
    await delay(50);
  }
}

/**
 * A server of an owner that was killed may still be stopping, or (its keeper was killed too) still be running: two servers on one data
 * directory must never happen, so we wait for the first and end the second.
 */
export async function endPredecessor(options: Pick<KeptProcessOptions, 'name' | 'dir' | 'stopSignal' | 'stopWithinMs'>): Promise<void> {
  const pidFile = pidFileOf(options);
  const pids = await readPids(pidFile);
  if (!pids) return;
  const keeperRuns = () => commandLineOf(pids.keeperPid).includes(pidFile);
  const serverRuns = () => commandLineOf(pids.serverPid).includes(options.dir);
  if (keeperRuns() && commandLineOf(pids.ownerPid) !== '') {
    throw new Error(
      `${options.name} in ${options.dir} is in use by process ${pids.ownerPid}: stop that one first, or use another directory`,
    );
  }
  await waitUntilGone(() => keeperRuns(), options.stopWithinMs + 2_000);
  for (const signal of [options.stopSignal, 'SIGKILL'] as const) {
    if (!serverRuns()) break;
    process.kill(pids.serverPid, signal);
    await waitUntilGone(serverRuns, options.stopWithinMs);
  }
  await rm(pidFile, { force: true });
}

async function waitUntilGone(isThere: () => boolean, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (isThere() && Date.now() < deadline) await delay(50);
}

/** Empty when no such process runs. Pids are used again, so a pid alone proves nothing. */
function commandLineOf(pid: number): string {
  try {
    // Slim images have no `ps`, macOS has no /proc.
    if (existsSync('/proc/self/cmdline')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // Both fail when no such process runs.
    return '';
  }
}

function pidFileOf(options: { name: string; dir: string }): string {
  return path.join(options.dir, `${options.name}.pid`);
}

async function readPids(pidFile: string): Promise<z.infer<typeof pidsSchema> | undefined> {
  try {
    return pidsSchema.parse(JSON.parse(await readFile(pidFile, 'utf8')));
  } catch {
    // No file: nothing was started, or it ended cleanly. Half a file: its writer died while starting, so nothing serves.
    return undefined;
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    // The first start in this directory.
    return 0;
  }
}

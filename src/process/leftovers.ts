import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { parseJson } from '../domain/json';

export type Leftover =
  | { kind: 'none' }
  | { kind: 'ended'; pid: number }
  /** Something may still run that nobody but a person can judge. */
  | { kind: 'problem'; problem: string };

/** As the supervisor writes it; `startedTicks` and `bootId` are null where there is no /proc. */
const processSchema = z.object({ pid: z.int().min(1), startedTicks: z.string().nullable(), bootId: z.string().nullable() });
export type ProcessIdentity = z.output<typeof processSchema>;

/** The leader of a group: 1 is nobody's child, and -1 would be everybody. */
const pidFileSchema = processSchema.refine(({ pid }) => pid > 1);

export const identifyProcess = (pid: number): ProcessIdentity => ({ pid, startedTicks: readStartedTicks(pid), bootId: readBootId() });

/** Does this very process still live? Where that cannot be told, it does as long as anybody has its number. */
export const isProcess = (identity: unknown): boolean => {
  const read = processSchema.safeParse(identity);
  if (!read.success) return false;
  const { pid, startedTicks, bootId } = read.data;
  if (startedTicks !== null) return bootId === readBootId() && startedTicks === readStartedTicks(pid);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

const pollMs = 25;
/** After SIGKILL only what hangs inside of the kernel is still there. */
const afterKillMs = 2_000;

/**
 * Ends the group that a pid file names, whose owner and supervisor were both killed, and removes the file. A number alone proves nothing: it may
 * be somebody else's by now. So the leader must have started at the very moment that is written down, or, where the leader is gone and others of
 * its group are left, one of those must carry the mark that only ours inherit.
 */
export const endLeftover = async (
  pidFile: string,
  { killAfterMs, gracefulSignals }: { killAfterMs: number; gracefulSignals: readonly NodeJS.Signals[] },
): Promise<Leftover> => {
  const content = readOrNull(pidFile);
  if (content === null) return { kind: 'none' };
  const written = pidFileSchema.safeParse(parseJson(content));
  if (!written.success) return { kind: 'problem', problem: `${pidFile} is no pid file` };
  const { pid, startedTicks, bootId } = written.data;
  if (startedTicks === null || bootId === null) return { kind: 'problem', problem: `process ${pid} cannot be told from another one here` };
  // The numbers of another boot say nothing about this one.
  if (bootId !== readBootId() || !isOurs({ pid, startedTicks, pidFile })) {
    rmSync(pidFile, { force: true });
    return { kind: 'none' };
  }
  for (const signal of gracefulSignals) if (await endedBy(pid, signal, killAfterMs / gracefulSignals.length)) break;
  if (membersOf(pid).length > 0 && !(await endedBy(pid, 'SIGKILL', afterKillMs))) {
    return { kind: 'problem', problem: `process group ${pid} does not end` };
  }
  rmSync(pidFile, { force: true });
  return { kind: 'ended', pid };
};

const isOurs = ({ pid, startedTicks, pidFile }: { pid: number; startedTicks: string; pidFile: string }): boolean => {
  const members = membersOf(pid);
  const leader = members.find((member) => member.pid === pid);
  if (leader !== undefined) return leader.startedTicks === startedTicks;
  return members.some((member) => readOrNull(`/proc/${member.pid}/environ`)?.split('\0').includes(`YARDMASTER_GROUP=${pidFile}`) === true);
};

const endedBy = async (groupId: number, signal: NodeJS.Signals, waitMs: number): Promise<boolean> => {
  try {
    process.kill(-groupId, signal);
  } catch {
    // ESRCH: it has ended. EPERM: the check below decides.
  }
  for (const until = Date.now() + waitMs; membersOf(groupId).length > 0;) {
    if (Date.now() > until) return false;
    await delay(pollMs);
  }
  return true;
};

/** Without zombies: they are gone, only not collected. */
const membersOf = (groupId: number): { pid: number; startedTicks: string | undefined }[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrNull(`/proc/${name}/stat`);
      // The name of the program stands in brackets and may hold anything, brackets included.
      const [state, , group, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
      return Number(group) === groupId && state !== 'Z' ? [{ pid: Number(name), startedTicks: rest[16] }] : [];
    });

const readStartedTicks = (pid: number): string | null => {
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
};

const readBootId = (): string | null => readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null;

const readOrNull = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone, or not for us to read: in both cases it proves nothing.
    return null;
  }
};

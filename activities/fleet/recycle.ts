import { setTimeout as delay } from 'node:timers/promises';
import type { Limits } from '../../src/contracts/limits';
import type { RecycleReadiness } from '../../src/contracts/worker-act';
import { isSuccess } from '../../src/domain/child-end';
import { makeRecycleCommand, type RecycleTarget } from '../../src/domain/recycle-command';
import type { Redact } from '../../src/domain/redact';
import type { Log } from '../../src/log';
import type { ChildOrder, ChildResult } from '../../src/process/child';

/** What the deployer passes in (workers/deployer.ts). */
export interface RecycleDeps {
  log: Log;
  limits: Limits;
  /** Knows the secrets of the configuration: the detail of a result is kept in histories. */
  redact: Redact;
  /** Null: no command is configured. */
  recycle: { command: readonly string[]; timeoutMs: number; env: Readonly<Record<string, string>> } | null;
  /** What the last try of the check command gave; without one nobody has tried anything. */
  readCheck?: () => RecycleReadiness;
  runCommand: (order: ChildOrder) => Promise<ChildResult>;
  heartbeat: () => void;
  /** Aborted when the workflow no longer wants it, or the deployer drains. */
  cancellation: () => AbortSignal;
}

export interface RecycleResult {
  kind: 'done' | 'failed' | 'not_configured';
  detail: string;
}

/** A line or two for a person; the whole is in the log. */
const detailLengthMax = 300;

export const createRecycleActivities = ({ log, limits, redact, recycle, readCheck, runCommand, heartbeat, cancellation }: RecycleDeps) => ({
  /** Can this deployer replace a process? It answers with what it knows, so that nobody waits for a machine that hangs. */
  async readRecycleReadiness(): Promise<RecycleReadiness> {
    if (recycle === null) return { state: 'not_configured', detail: notConfigured };
    return await Promise.resolve(readCheck?.() ?? neverTried);
  },

  /**
   * Runs the configured command, which replaces the worker's process by a fresh one. `done` says that the command succeeded, not that the worker
   * is gone: its port proves that. A repetition restarts the worker again, so the caller asks only while the attempt is still the worker's.
   */
  async recycleWorker({ attemptId, ...target }: RecycleTarget & { attemptId: string | null }): Promise<RecycleResult> {
    if (recycle === null) return { kind: 'not_configured', detail: notConfigured };
    const made = makeRecycleCommand(recycle.command, target);
    const fields = { attemptId, workerId: target.workerId, host: target.host };
    if (made.kind === 'refused') {
      log.error('A worker is not recycled', { ...fields, reason: made.problem });
      return { kind: 'failed', detail: made.problem };
    }
    log.info('Recycles a worker', { ...fields, command: made.command });
    const signal = cancellation();
    const beat = setInterval(heartbeat, limits.recycleHeartbeatMs);
    const { timeoutMs, env } = recycle;
    const ran = await runCommand({
      command: made.command,
      env,
      timeoutMs,
      killAfterMs: limits.commandKillAfterMs,
      outputBytesMax: limits.commandOutputBytesMax,
      redact,
      signal,
    }).finally(() => clearInterval(beat));
    const result: RecycleResult = { kind: isSuccess(ran) ? 'done' : 'failed', detail: describe(ran, { timeoutMs, redact }) };
    log.log(result.kind === 'done' ? 'info' : 'warn', 'A recycle command has ended', { ...fields, ...ran, result: result.kind });
    // The SDK's own failure: a cancel ends the activity as cancelled, a draining deployer leaves it to the next one.
    if (ran.end.kind === 'stopped') signal.throwIfAborted();
    return result;
  },
});

export type RecycleActivities = ReturnType<typeof createRecycleActivities>;

const notConfigured = 'RECYCLE_COMMAND is not set for the deployer';
const neverTried: RecycleReadiness = {
  state: 'unproven',
  detail: 'RECYCLE_COMMAND was never tried: set RECYCLE_CHECK_COMMAND, or recycle an idle worker once',
};

/**
 * Tries the check command at the start of a deployer and every so often, so that a key that is missing is known before the first worker needs it. `read`
 * gives what the last try said.
 */
export const checkRecycleRegularly = (
  check: { command: [string, ...string[]]; env: Readonly<Record<string, string>> },
  { log, limits, redact, runCommand }: Pick<RecycleDeps, 'log' | 'limits' | 'redact' | 'runCommand'>,
  signal: AbortSignal,
): { read: () => RecycleReadiness } => {
  let latest: RecycleReadiness = neverTried;
  const tryOnce = async (): Promise<void> => {
    const { recycleCheckMs: timeoutMs, commandKillAfterMs: killAfterMs, commandOutputBytesMax: outputBytesMax } = limits;
    const ran = await runCommand({ ...check, timeoutMs, killAfterMs, outputBytesMax, redact, signal });
    if (signal.aborted) return;
    const state = isSuccess(ran) ? 'checked' : 'check_failed';
    latest = { state, detail: `RECYCLE_CHECK_COMMAND: ${describe(ran, { timeoutMs, redact })}` };
    if (state === 'checked') log.info('A worker can be recycled', { detail: latest.detail });
    else log.error('No worker can be recycled: the check of the recycle command fails', { detail: latest.detail });
  };
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      await tryOnce();
      await delay(limits.recycleCheckEveryMs, undefined, { signal }).catch(() => undefined);
    }
  };
  void loop();
  return { read: () => latest };
};

const describe = (ran: ChildResult, { timeoutMs, redact }: { timeoutMs: number; redact: Redact }): string => {
  const lastLine = (ran.stderr.trim() || ran.stdout.trim()).split('\n').at(-1)?.trim() ?? '';
  const how = describeEnd(ran.end, timeoutMs);
  const lastOutput = isSuccess(ran) || lastLine === '' ? '' : `: ${lastLine}`;
  // The streams are redacted already, but the two halves of a thing may meet in this line.
  return redact(`${how} after ${(ran.durationMs / 1_000).toFixed(1)} s${lastOutput}`).slice(0, detailLengthMax);
};

const describeEnd = (end: ChildResult['end'], timeoutMs: number): string => {
  switch (end.kind) {
    case 'exited':
      return `the command exited with ${end.code}`;
    case 'signalled':
      return `the command was ended by ${end.signal}`;
    case 'timed_out':
      return `the command did not end within ${timeoutMs / 1_000} s and was ended`;
    case 'stopped':
      return 'the command was stopped';
    case 'not_started':
      return `the command could not be started (${end.problem})`;
    case 'lost':
      break;
  }
  return 'the command was lost with its supervisor';
};

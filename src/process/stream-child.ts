import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { z } from 'zod';
import type { ChildEnd, StreamedEnd } from '../domain/child-end';
import { createPump, type OutputStream } from './pump';

export interface StreamOrder {
  /** A program and its arguments. There is no shell between, so nothing in them is interpreted. */
  command: readonly [string, ...string[]];
  /** All of its environment: ours holds secrets that are none of its business. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  timeoutMs: number;
  /** Without a byte of either stream for so long, it is ended; unset: silence is no reason. */
  silentMs?: number;
  /** What the group is asked with, one after the other in equal parts of `killAfterMs`, before SIGKILL. */
  gracefulSignals?: readonly ('SIGINT' | 'SIGTERM')[];
  /** From the first signal to SIGKILL, for the whole group. */
  killAfterMs: number;
  /** Where the group is written down while it runs, for `endLeftover` of a later process. */
  pidFile?: string;
  /**
   * While a promise of it is open, nothing more of that stream is read: a flood waits in the command and not in our memory. A rejection ends the
   * command as `stopped`.
   */
  onChunk: (stream: OutputStream, chunk: Buffer) => void | Promise<void>;
  /** Ends it early. */
  signal?: AbortSignal;
}

export type StreamChild = (order: StreamOrder) => Promise<StreamedEnd>;

const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), pid: z.int() }),
  z.object({ kind: z.literal('exited'), code: z.int() }),
  z.object({ kind: z.literal('signalled'), signal: z.string() }),
  z.object({ kind: z.literal('not_started'), problem: z.string() }),
]);

const supervisorPath = path.join(__dirname, 'supervisor.mjs');

/** Beyond the ladder of the supervisor, which then hangs itself. */
const supervisorGraceMs = 3_000;

/**
 * Runs a command in a process group of its own; when this settles, nothing of the group runs and all of its output has been handed over. Should
 * our process be killed, the supervisor ends the group within `killAfterMs`. It never rejects: every end is data.
 */
export function streamChild(order: StreamOrder & { silentMs?: undefined }): Promise<ChildEnd>;
export function streamChild(order: StreamOrder): Promise<StreamedEnd>;
export async function streamChild(order: StreamOrder): Promise<StreamedEnd> {
  if (order.signal?.aborted === true) return { kind: 'stopped' };
  let end: StreamedEnd | undefined;
  let groupId: number | undefined;
  // Detached: a Ctrl-C at the terminal, or a kill of our own group, must not end the one that cleans up.
  const supervisor = spawn(process.execPath, [supervisorPath], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: environmentOf(order),
    cwd: order.cwd,
    detached: true,
  });
  supervisor.on('message', (message) => {
    const report = reportSchema.parse(message);
    if (report.kind === 'started') groupId = report.pid;
    else end ??= report;
  });
  const hasEnded = endOf(supervisor, (problem) => (end ??= { kind: 'not_started', problem }));

  const timers: NodeJS.Timeout[] = [];
  const stop = (reason: StreamedEnd): void => {
    end ??= reason;
    send(supervisor, 'end');
    timers.push(setTimeout(() => supervisor.kill('SIGKILL'), order.killAfterMs + supervisorGraceMs));
  };
  const abort = (): void => stop({ kind: 'stopped' });
  timers.push(setTimeout(() => stop({ kind: 'timed_out' }), order.timeoutMs));
  order.signal?.addEventListener('abort', abort, { once: true });
  const pump = createPump({ streams: supervisor, onChunk: order.onChunk, onRefused: abort });
  if (order.silentMs !== undefined) pump.watchSilence(order.silentMs, () => stop({ kind: 'silent' }));

  const { command, gracefulSignals = ['SIGTERM'], killAfterMs, pidFile = null } = order;
  send(supervisor, { command: command[0], args: command.slice(1), signals: gracefulSignals, killAfterMs, pidFile });
  await hasEnded;
  for (const timer of timers) clearTimeout(timer);
  order.signal?.removeEventListener('abort', abort);
  if (supervisor.exitCode !== 0) killGroup(groupId);
  await pump.finish();
  return end ?? { kind: 'lost' };
}

/** The mark is inherited by whatever the command starts: it tells our processes from those of somebody who got the same number later. */
const environmentOf = ({ env, pidFile }: StreamOrder): Readonly<Record<string, string>> =>
  pidFile === undefined ? env : { ...env, YARDMASTER_GROUP: pidFile };

const endOf = (supervisor: ChildProcess, onProblem: (problem: string) => void): Promise<void> =>
  new Promise((resolve) => {
    // Any number of them: a signal that could not be sent comes as the same event as a start that failed.
    supervisor.on('error', (error: NodeJS.ErrnoException) => {
      onProblem(error.code ?? error.message);
      resolve();
    });
    // Its last report may be read after its exit, but never after the end of the channel.
    void Promise.all([once(supervisor, 'exit'), once(supervisor, 'disconnect')]).then(
      () => resolve(),
      () => resolve(),
    );
  });

const send = (supervisor: ChildProcess, message: object | string): void => {
  // One that is gone has its end reported by the events.
  if (supervisor.connected) supervisor.send(message, () => undefined);
};

/** Only after a supervisor that could not do it itself. */
const killGroup = (groupId: number | undefined): void => {
  if (groupId === undefined) return;
  try {
    process.kill(-groupId, 'SIGKILL');
  } catch {
    // ESRCH: it is empty already.
  }
};

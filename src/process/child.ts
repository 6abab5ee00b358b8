import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Redact } from '../domain/redact';
import { createOutputTail } from './output-tail';

export interface ChildOrder {
  /** A program and its arguments. There is no shell between, so nothing in them is interpreted. */
  command: readonly [string, ...string[]];
  /** All of its environment: ours holds secrets that are none of its business. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  timeoutMs: number;
  /** From SIGTERM to SIGKILL, for the whole group. */
  killAfterMs: number;
  /** Of each of the two streams, its end is kept. */
  outputBytesMax: number;
  redact: Redact;
  /** Ends it early. */
  signal?: AbortSignal;
}

/** The first reason wins: a command that is told to stop and then exits with 0 was stopped. */
export type ChildEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'timed_out' }
  | { kind: 'stopped' }
  | { kind: 'not_started'; problem: string }
  /** Its supervisor was killed; the command too, but how far it came is unknown. */
  | { kind: 'lost' };

/** Of a command whose output is watched. */
export type StreamedEnd =
  | ChildEnd
  /** It wrote nothing for too long, and was ended. */
  | { kind: 'silent' };

export interface ChildResult {
  end: ChildEnd;
  stdout: string;
  stderr: string;
  durationMs: number;
}

const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), pid: z.int() }),
  z.object({ kind: z.literal('exited'), code: z.int() }),
  z.object({ kind: z.literal('signalled'), signal: z.string() }),
  z.object({ kind: z.literal('not_started'), problem: z.string() }),
]);

const supervisorPath = path.join(__dirname, 'supervisor.mjs');

/** What is still in the pipes when the group has ended; a grandchild that left the group may hold them open for ever. */
const drainMs = 200;
/** Beyond the ladder of the supervisor, which then hangs itself. */
const supervisorGraceMs = 3_000;

/**
 * Runs a command to its end, in a process group of its own; when this settles, nothing of the group runs. Should our process be killed, the
 * supervisor ends the group within `killAfterMs`. It never rejects: every end is data.
 */
export const runChild = async (order: ChildOrder): Promise<ChildResult> => {
  const startedAt = performance.now();
  const stdout = createOutputTail({ bytesMax: order.outputBytesMax });
  const stderr = createOutputTail({ bytesMax: order.outputBytesMax });
  const end = order.signal?.aborted === true ? ({ kind: 'stopped' } as const) : await supervise(order, { stdout, stderr });
  return {
    end,
    stdout: stdout.read(order.redact),
    stderr: stderr.read(order.redact),
    durationMs: Math.round(performance.now() - startedAt),
  };
};

type Tail = ReturnType<typeof createOutputTail>;

const supervise = async (order: ChildOrder, tails: { stdout: Tail; stderr: Tail }): Promise<ChildEnd> => {
  let end: ChildEnd | undefined;
  let groupId: number | undefined;
  // Detached: a Ctrl-C at the terminal, or a kill of our own group, must not end the one that cleans up.
  const supervisor = spawn(process.execPath, [supervisorPath], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: order.env,
    cwd: order.cwd,
    detached: true,
  });
  supervisor.stdout?.on('data', (chunk: Buffer) => tails.stdout.add(chunk));
  supervisor.stderr?.on('data', (chunk: Buffer) => tails.stderr.add(chunk));
  supervisor.on('message', (message) => {
    const report = reportSchema.parse(message);
    if (report.kind === 'started') groupId = report.pid;
    else end ??= report;
  });

  const hasEnded = new Promise<void>((resolve) => {
    supervisor.once('error', (error: NodeJS.ErrnoException) => {
      end ??= { kind: 'not_started', problem: error.code ?? error.message };
      resolve();
    });
    // Its last report may be read after its exit, but never after the end of the channel.
    void Promise.all([once(supervisor, 'exit'), once(supervisor, 'disconnect')]).then(
      () => resolve(),
      () => resolve(),
    );
  });
  const closed = new Promise<void>((resolve) => supervisor.once('close', () => resolve()));

  const timers: NodeJS.Timeout[] = [];
  const stop = (reason: ChildEnd): void => {
    end ??= reason;
    tell(supervisor, 'end');
    timers.push(setTimeout(() => supervisor.kill('SIGKILL'), order.killAfterMs + supervisorGraceMs));
  };
  const abort = (): void => stop({ kind: 'stopped' });
  timers.push(setTimeout(() => stop({ kind: 'timed_out' }), order.timeoutMs));
  order.signal?.addEventListener('abort', abort, { once: true });

  const [command, ...args] = order.command;
  tell(supervisor, { command, args, killAfterMs: order.killAfterMs });
  await hasEnded;
  for (const timer of timers) clearTimeout(timer);
  order.signal?.removeEventListener('abort', abort);
  if (supervisor.exitCode !== 0) killGroup(groupId);
  await Promise.race([closed, delay(drainMs)]);
  supervisor.stdout?.destroy();
  supervisor.stderr?.destroy();
  return end ?? { kind: 'lost' };
};

const tell = (supervisor: ReturnType<typeof spawn>, message: object | string): void => {
  // One that is gone has its end told by the events.
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

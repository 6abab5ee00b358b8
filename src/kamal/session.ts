import path from 'node:path';
import { limits } from '../contracts/limits';
import { isSuccess } from '../domain/child-end';
import { isKamalsOwn } from '../domain/kamal-variables';
import { createLineRedact, type LinePart } from '../domain/line-redact';
import { createRedact } from '../domain/redact';
import type { Sensitive } from '../domain/sensitive';
import { createLines } from '../process/lines';
import type { OutputStream } from '../process/pump';
import type { KamalCommand } from './commands';
import { findHangingHook, hookRecordsOf } from './hooks';
import type { KamalOptions, KnownDestination, RunOptions } from './kamal';
import { makeHeading, parseError } from './output';
import { gracefulSignals } from './private-directory';
import { rubyEnvironment } from './project';
import type { KamalEnd } from './run';

export interface SessionOrder extends Pick<KamalOptions, 'bin' | 'env' | 'killAfterMs' | 'streamChild'> {
  dir: string;
  /** Where Kamal is started. */
  project: string;
  destination: Pick<KnownDestination, 'destination' | 'hosts'>;
  secrets: readonly Sensitive<string>[];
  /** Besides. */
  variables?: Readonly<Record<string, string>>;
}

/** Hosts that are asked at the same time: each one is a Ruby of its own. */
const runsAtOnce = 4;

/** Runs commands in a private project, one process each. */
export const createRunner = (order: SessionOrder) => {
  const { dir, destination, secrets, killAfterMs } = order;
  const closing = new AbortController();
  const running = new Set<Promise<KamalEnd>>();
  const redact = createRedact(secrets);
  let count = 0;

  const runOne = async (args: readonly string[], options: RunOptions): Promise<KamalEnd> => {
    const startedAt = performance.now();
    const reader = createReader(secrets, options.onLine);
    count += 1;
    const records = hookRecordsOf(dir, count);
    const end = await order.streamChild({
      command: [order.bin, ...args, `--destination=${destination.destination}`],
      env: { ...environmentOf(order, options), YARDMASTER_HOOKS: records },
      cwd: order.project,
      timeoutMs: options.timeoutMs,
      silentMs: options.silentMs,
      gracefulSignals,
      killAfterMs,
      pidFile: path.join(dir, 'groups', String(count)),
      onChunk: reader.add,
      signal: AbortSignal.any([options.signal, closing.signal]),
    });
    await reader.end();
    const hook = end.kind === 'timed_out' || end.kind === 'silent' ? findHangingHook(records, redact) : null;
    const durationMs = Math.round(performance.now() - startedAt);
    return { end, error: parseError(reader.shown()), hook, output: redact(reader.read()), durationMs, answers: [] };
  };

  const track = async (start: () => Promise<KamalEnd>): Promise<KamalEnd> => {
    const run = start();
    running.add(run);
    return await run.finally(() => running.delete(run));
  };

  return {
    redact,

    async run({ args, each }: KamalCommand, options: RunOptions): Promise<KamalEnd> {
      if (each === undefined) return await track(async () => await runOne(args, options));
      const questions = each.hosts.flatMap((host) => {
        const roles = each.by === 'role' ? destination.hosts.find((known) => known.host === host)?.roles : undefined;
        return (roles ?? [null]).map((role) => ({ host, role }));
      });
      const answers: KamalEnd[] = [];
      for (let at = 0; at < questions.length; at += runsAtOnce) {
        const some = questions.slice(at, at + runsAtOnce).map(async ({ host, role }) => {
          const scope = [`--hosts=${host}`, ...(role === null ? [] : [`--roles=${role}`])];
          const ended = await track(async () => await runOne([...args, ...scope], options));
          const { end, error, hook } = ended;
          return { ...ended, output: `${makeHeading(host, role)}\n${ended.output}`, answers: [{ host, end, error, hook }] };
        });
        answers.push(...(await Promise.all(some)));
      }
      return putTogether(answers);
    },

    /** Nothing runs afterwards, and nothing can be started. */
    async stop(): Promise<void> {
      closing.abort();
      await Promise.allSettled(running);
    },
  };
};

/** The first that failed speaks for all. */
const putTogether = (answers: readonly KamalEnd[]): KamalEnd => {
  const failed = answers.find((answer) => !isSuccess(answer));
  return {
    end: failed?.end ?? { kind: 'exited', code: 0 },
    error: failed?.error ?? null,
    hook: failed?.hook ?? null,
    output: answers.map(({ output }) => output).join('\n'),
    durationMs: Math.max(0, ...answers.map(({ durationMs }) => durationMs)),
    answers: answers.flatMap((answer) => answer.answers),
  };
};

/** Bytes → lines without secrets, to whoever listens; the end of the standard output is kept. */
const createReader = (secrets: readonly Sensitive<string>[], onLine: RunOptions['onLine']) => {
  const create = () => ({ lines: createLines({ charsMax: limits.logLineCharsMax }), redact: createLineRedact({ secrets }) });
  const streams: Record<OutputStream, ReturnType<typeof create>> = { stdout: create(), stderr: create() };
  const shown = createEnd();
  const read = createEnd();

  const emit = async (stream: OutputStream, lines: readonly string[]): Promise<void> => {
    for (const line of lines) {
      if (stream === 'stdout') shown.keep(line);
      await onLine({ stream, line });
    }
  };
  const show = (stream: OutputStream, parts: readonly LinePart[]): string[] => {
    if (stream === 'stdout') for (const { text } of parts) read.keep(text);
    return parts.flatMap((part) => streams[stream].redact.add(part));
  };

  return {
    add: async (stream: OutputStream, chunk: Buffer): Promise<void> => await emit(stream, show(stream, streams[stream].lines.add(chunk))),
    async end(): Promise<void> {
      for (const stream of ['stdout', 'stderr'] as const) {
        // Whoever refused the lines before refuses these; the command has ended all the same.
        await emit(stream, [...show(stream, streams[stream].lines.end()), ...streams[stream].redact.end()]).catch(() => undefined);
      }
    },
    shown: shown.text,
    /** As it came: a line that ends as a secret may begin loses its last characters before it is shown. */
    read: read.text,
  };
};

/** The end of what was said. */
const createEnd = () => {
  let kept: string[] = [];
  let chars = 0;
  return {
    keep(line: string): void {
      kept.push(line);
      chars += line.length + 1;
      // Now and then: a flood is no reason to move the list for each of its lines.
      if (chars < 2 * limits.commandOutputBytesMax) return;
      while (chars > limits.commandOutputBytesMax && kept.length > 1) chars -= (kept.shift()?.length ?? 0) + 1;
    },
    text: (): string => kept.join('\n'),
  };
};

/** Of Kamal's own words only those that we mean: another lock or version of the environment would be somebody's surprise. */
const environmentOf = ({ env, dir, variables }: SessionOrder, { hasLock = false }: RunOptions): Record<string, string> => ({
  // Without one Ruby takes every file for ASCII.
  LANG: 'C.UTF-8',
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !isKamalsOwn(name))),
  ...rubyEnvironment(dir, env),
  // Kamal asks git for one otherwise; where a version matters it is among the arguments.
  VERSION: 'unversioned',
  ...(hasLock ? { KAMAL_LOCK: 'true' } : {}),
  ...variables,
});

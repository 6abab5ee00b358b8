import { once, setMaxListeners } from 'node:events';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createPump } from '../../../src/process/pump';
import type { StreamedEnd } from '../../../src/domain/child-end';
import type { StreamChild } from '../../../src/process/stream-child';
import { runCommandLine, type World } from './command-line.mjs';

/** Linux numbers no process so high: whoever would signal what it finds in `steps()` hits nobody. */
let lastPid = 5_000_000;

/**
 * `streamChild` for the Kamal of a stand-in's test bed, without a process: its program is run in this one. The end is as sudden as that of a process:
 * whatever it would have done afterwards does not happen. Nothing of it outlives this process, so it has no pid file.
 */
export const streamResident: StreamChild = async ({ command, env, cwd = '.', timeoutMs, silentMs, onChunk, signal }) => {
  if (signal?.aborted === true) return { kind: 'stopped' };
  const ended = new AbortController();
  // One for each host that is waited for.
  setMaxListeners(0, ended.signal);
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  let end: StreamedEnd | undefined;
  let beforeSignal = (): void => undefined;

  const finish = (reason: StreamedEnd): void => {
    end ??= reason;
    ended.abort();
  };
  const stop = (reason: StreamedEnd): void => {
    if (end === undefined) beforeSignal();
    finish(reason);
  };
  const abort = (): void => stop({ kind: 'stopped' });

  const world: World = {
    // Its program is bin/kamal there.
    dir: path.dirname(path.dirname(command[0])),
    env,
    cwd,
    pid: (lastPid += 1),
    isTerminal: false,
    write: (stream, bytes) => void (end === undefined && streams[stream].write(bytes)),
    async wait(promise) {
      try {
        return await promise;
      } finally {
        // A full pipe makes it wait, too.
        for (const stream of Object.values(streams)) if (stream.writableNeedDrain) await once(stream, 'drain');
        if (end !== undefined) await never;
      }
    },
    ended: ended.signal,
    beforeSignal: (act) => void (beforeSignal = act),
    kill: (killed) => (killed === 'SIGKILL' ? finish : stop)({ kind: 'signalled', signal: killed }),
  };

  const pump = createPump({ streams, onChunk, onRefused: abort });
  if (silentMs !== undefined) pump.watchSilence(silentMs, () => stop({ kind: 'silent' }));
  const timer = setTimeout(() => stop({ kind: 'timed_out' }), timeoutMs);
  signal?.addEventListener('abort', abort, { once: true });
  const hasEnded = once(ended.signal, 'abort');
  void world.wait(runCommandLine(command.slice(1), world)).then((code) => finish({ kind: 'exited', code }));
  await hasEnded;
  clearTimeout(timer);
  signal?.removeEventListener('abort', abort);
  // As a process hears a signal between two turns of its loop: what it does in this one is still done.
  await nextTurn();
  for (const stream of Object.values(streams)) stream.end();
  await pump.finish();
  return end ?? { kind: 'lost' };
};

const never = new Promise<never>(() => undefined);

import type { Worker } from '@temporalio/worker';
import { waitForSessionLock, type SessionLockOptions } from '../src/db/session-lock';
import type { Log } from '../src/log';

export interface ServeAloneOptions {
  lock: Pick<SessionLockOptions, 'directUrl' | 'name' | 'everyMs'>;
  log: Log;
  /** The process is asked to end. */
  stopping: AbortSignal;
  /** Makes the worker of one turn. The signal says that the turn is over, however it ends: what runs may end, nothing new begins. */
  startTurn: (draining: AbortSignal) => Promise<Pick<Worker, 'run' | 'shutdown' | 'getState'>>;
}

/**
 * Polls only while the lock is ours, so that of many processes one works. One that loses it stops polling at once; what it has begun is its own until it
 * ends, since the server gives that to nobody else while it beats.
 */
export const serveAlone = async ({ lock, log, stopping, startTurn }: ServeAloneOptions): Promise<void> => {
  const turns: Promise<void>[] = [];
  let failure: unknown;
  while (!stopping.aborted && failure === undefined) {
    const held = await waitForSessionLock({ ...lock, log, applicationName: 'yardmaster-deployer-lock', signal: stopping });
    if (held === null) break;
    log.info('Active: the lock is ours', { lock: lock.name });
    const over = new AbortController();
    const draining = AbortSignal.any([stopping, held.lost, over.signal]);
    const worker = await startTurn(draining).catch((error: unknown) => {
      failure = error;
      return null;
    });
    const turn = (worker?.run() ?? Promise.resolve())
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => over.abort());
    turns.push(turn);
    await Promise.race([turn, whenAborted(draining)]);
    if (held.lost.aborted) log.warn('The lock is lost: polls no more until it is ours again', { lock: lock.name });
    // The SDK hears of signals by itself.
    if (worker?.getState() === 'RUNNING') worker.shutdown();
    // A turn that ends in order keeps its place until its last step has ended.
    if (!held.lost.aborted) await turn;
    await held.release();
  }
  await Promise.all(turns);
  if (failure !== undefined) throw failure;
};

const whenAborted = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
};

import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import { CutOffError } from '../activities/deploys/deploy-deps';
import { waitForSessionLock, type SessionLockOptions } from '../src/db/session-lock';
import type { Log } from '../src/log';

export interface ServeAloneOptions {
  lock: Pick<SessionLockOptions, 'directUrl' | 'name' | 'everyMs'>;
  log: Log;
  /** The process is asked to end. */
  stopping: AbortSignal;
  /**
   * Makes the worker of one turn. `draining` says that the turn is over, however it ends: what runs may end, nothing new begins. `cutOff` says that
   * what runs must end too, since somebody else has it by now.
   */
  startTurn: (draining: AbortSignal, cutOff: AbortSignal) => Promise<Pick<Worker, 'run' | 'shutdown' | 'getState'>>;
  /** Does the server that gives out the work still hear from us? */
  isReachable: () => Promise<boolean>;
}

/**
 * Polls only while the lock is ours, so that of many processes one works. One that loses it stops polling at once; what it has begun is its own until it
 * ends, since the server gives that to nobody else while it beats; once it cannot beat either, it is cut off.
 */
export const serveAlone = async ({ lock, log, stopping, startTurn, isReachable }: ServeAloneOptions): Promise<void> => {
  const turns: Promise<void>[] = [];
  let failure: unknown;
  let regained = new AbortController();
  while (!stopping.aborted && failure === undefined) {
    const held = await waitForSessionLock({ ...lock, log, applicationName: 'yardmaster-deployer-lock', signal: stopping });
    if (held === null) break;
    log.info('Active: the lock is ours', { lock: lock.name });
    regained.abort();
    regained = new AbortController();
    const cutOff = new AbortController();
    const over = new AbortController();
    const draining = AbortSignal.any([stopping, held.lost, over.signal]);
    const worker = await startTurn(draining, cutOff.signal).catch((error: unknown) => {
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
    if (held.lost.aborted) {
      log.warn('The lock is lost: polls no more until it is ours again', { lock: lock.name });
      void endUnreachable(cutOff, { until: AbortSignal.any([over.signal, regained.signal]), isReachable, everyMs: lock.everyMs, log });
    }
    // The SDK hears of signals by itself.
    if (worker?.getState() === 'RUNNING') worker.shutdown();
    // A turn that ends in order keeps its place until its last step has ended.
    if (!held.lost.aborted) await turn;
    await held.release();
  }
  await Promise.all(turns);
  if (failure !== undefined) throw failure;
};

/** As often must nobody hear us in a row: a call that is lost is no partition. */
const unreachableMax = 3;

const endUnreachable = async (
  cutOff: AbortController,
  { until, isReachable, everyMs, log }: { until: AbortSignal; isReachable: () => Promise<boolean>; everyMs: number; log: Log },
): Promise<void> => {
  for (let unreachable = 0; !until.aborted && unreachable < unreachableMax;) {
    unreachable = (await isReachable()) ? 0 : unreachable + 1;
    await delay(everyMs, undefined, { signal: until }).catch(() => undefined);
  }
  if (until.aborted) return;
  log.error('Cut off from the database and from Temporal: ends what it runs');
  cutOff.abort(new CutOffError('neither the database nor Temporal can be reached'));
};

const whenAborted = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
};

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../src/log';

/** All of them at once and every so often, one whenever somebody asks; never two refreshes at a time, and one that fails waits for its next turn. */
export const refreshRegularly = (
  refresh: (only: readonly string[] | null) => Promise<void>,
  { everyMs, signal, log }: { everyMs: number; signal: AbortSignal; log: Log },
): { now: (destination: string) => void } => {
  let wake = new AbortController();
  let asked: string[] = [];
  const refreshOnce = async (only: readonly string[] | null): Promise<void> => {
    asked = [];
    await refresh(only).catch((error: unknown) => {
      if (!signal.aborted) log.warn('The destinations could not be looked at, the next turn tries again', { error });
    });
  };
  const loop = async (): Promise<void> => {
    // A destination that is asked for in between does not put off the turn of all.
    for (let allAt = 0; !signal.aborted;) {
      wake = new AbortController();
      if (performance.now() >= allAt) {
        await refreshOnce(null);
        allAt = performance.now() + everyMs;
      } else if (asked.length > 0) await refreshOnce(asked);
      const waitMs = allAt - performance.now();
      if (asked.length === 0 && waitMs > 0)
        await delay(waitMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
    }
  };
  void loop();
  return {
    now(destination) {
      asked.push(destination);
      wake.abort();
    },
  };
};

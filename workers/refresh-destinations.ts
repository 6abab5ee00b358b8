import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../src/log';

/** Does it at once, every so often, and whenever somebody asks; never twice at a time, and one that fails waits for the next. */
export const refreshRegularly = (
  refresh: () => Promise<void>,
  { everyMs, signal, log }: { everyMs: number; signal: AbortSignal; log: Log },
): { now: () => void } => {
  let wake = new AbortController();
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      wake = new AbortController();
      await refresh().catch((error: unknown) => {
        if (!signal.aborted) log.warn('The destinations could not be looked at, the next turn tries again', { error });
      });
      await delay(everyMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
    }
  };
  void loop();
  return { now: () => wake.abort() };
};

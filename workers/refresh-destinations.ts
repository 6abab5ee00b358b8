import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../src/log';

/** All of them at once and every so often, one whenever somebody asks; never two looks at a time, and one that fails waits for the next. */
export const refreshRegularly = (
  refresh: (only: readonly string[] | null) => Promise<void>,
  { everyMs, signal, log }: { everyMs: number; signal: AbortSignal; log: Log },
): { now: (destination: string) => void } => {
  let wake = new AbortController();
  let asked: string[] = [];
  const loop = async (): Promise<void> => {
    let only: readonly string[] | null = null;
    while (!signal.aborted) {
      wake = new AbortController();
      await refresh(only).catch((error: unknown) => {
        if (!signal.aborted) log.warn('The destinations could not be looked at, the next turn tries again', { error });
      });
      if (asked.length === 0) await delay(everyMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
      only = asked.length === 0 ? null : asked;
      asked = [];
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

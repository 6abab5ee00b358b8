import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { limits } from '../src/contracts/limits';
import { ensureWorkerCleanupSchedule } from '../src/temporal/namespace';

/** Describe, then create or update, over a slow line. */
const turnMs = 5_000;

/**
 * Looks after the schedule of the sweep for as long as the orchestrator runs: the Web UI deletes it at a press, and without it no host is probed, nothing
 * is assigned, and nothing that was lost is found. Resolves when it has stopped.
 */
export const keepSchedule = async (
  client: Client,
  {
    log,
    signal,
    everyMs = limits.scheduleCheckEveryMs,
  }: { log: { warn(message: string, fields?: object): unknown }; signal: AbortSignal; everyMs?: number },
): Promise<void> => {
  for (;;) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const found = await client.withDeadline(Date.now() + turnMs, async () => await ensureWorkerCleanupSchedule(client));
      if (found === 'made') log.warn('The schedule of the sweep was gone, and is made again');
    } catch (error) {
      log.warn('The schedule of the sweep cannot be checked, the next turn tries again', { error });
    }
  }
};

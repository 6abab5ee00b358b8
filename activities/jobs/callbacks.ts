import { randomUUID } from 'node:crypto';
import { leaseNextCallback, postponeCallback, settleCallback } from '../../src/db/callbacks/callbacks';
import { judgeCallback } from '../../src/domain/callback-answer';
import type { OrchestratorDeps } from '../deps';

export const createCallbackActivities = ({ pool, log, limits, callbacks, observe }: OrchestratorDeps) => ({
  /**
   * Delivers a job's callbacks in order until one is not due yet or fails. Each is leased by name before it is sent and settled under that
   * name, so two runs never send side by side; one that dies after sending is sent again: at least once.
   */
  async deliverDueCallbacks({ jobId, generation }: { jobId: string; generation: number }): Promise<{ nextInMs: number | null }> {
    const lease = randomUUID();
    for (;;) {
      const turn = await leaseNextCallback(pool, { jobId, generation, lease, leaseMs: limits.callbackLeaseMs });
      if (turn.kind === 'none') return { nextInMs: null };
      if (turn.kind === 'later') return { nextInMs: turn.inMs };
      const reply = await callbacks.send(turn.callback.url, turn.callback.body);
      const key = { jobId, generation: turn.callback.generation, seq: turn.callback.seq, lease };
      const verdict = judgeCallback(reply, turn.callback);
      if (verdict.act === 'settle') {
        await settleCallback(pool, key, verdict);
        observe({ of: 'callback', settledAs: verdict.settledAs });
        if (verdict.error !== null) log.warn('A callback is not delivered', { ...key, lease: undefined, ...verdict });
        continue;
      }
      await postponeCallback(pool, key, { ...verdict, limits });
      // Logged once: somebody has a day to repair it, and yardmaster_oldest_undelivered_callback_seconds reminds of it.
      if (verdict.isRefused && turn.callback.isFinal && turn.callback.tries === 0)
        log.error('The product refuses the end of a job; it is sent again for a day', { ...key, lease: undefined, error: verdict.error });
    }
  },
});

export type CallbackActivities = ReturnType<typeof createCallbackActivities>;

import { randomUUID } from 'node:crypto';
import { leaseNextCallback, postponeCallback, settleCallback, type LeasedCallback } from '../src/db/callbacks';
import type { CallbackReply, OrchestratorDeps } from './deps';

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
      const settlement = settle(reply, turn.callback);
      if (settlement === null) await postponeCallback(pool, key, { error: errorOf(reply), limits });
      else {
        await settleCallback(pool, key, settlement);
        observe({ of: 'callback', settledAs: settlement.settledAs });
        if (settlement.error !== null) log.warn('A callback is not delivered', { ...key, lease: undefined, ...settlement });
      }
    }
  },
});

export type CallbackActivities = ReturnType<typeof createCallbackActivities>;

/** Null: try again later. `skipped` means that VALET's task is already terminal (valet §2.1), so the rest would be skipped too. */
const settle = (
  reply: CallbackReply,
  { isOverdue }: LeasedCallback,
): { settledAs: 'delivered' | 'superseded' | 'given_up' | 'refused'; error: string | null } | null => {
  switch (reply.kind) {
    case 'accepted':
      return { settledAs: 'delivered', error: null };
    case 'skipped':
      return { settledAs: 'superseded', error: null };
    case 'refused':
      return { settledAs: 'refused', error: reply.error };
    case 'failed':
      return isOverdue ? { settledAs: 'given_up', error: reply.error } : null;
  }
};

const errorOf = (reply: CallbackReply): string => ('error' in reply ? reply.error : reply.kind);

import type { RequestHandler } from 'express';
import { recordAct } from '../../db/audit';
import { reopenCallback } from '../../db/callbacks/callbacks';
import { findJob } from '../../db/jobs/jobs';
import { withTransaction } from '../../db/pool';
import { recordCallback } from '../../db/callbacks/received-callbacks';
import { actorOf } from '../actor';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchJob, Problem } from '../problem';

/** Callbacks in both directions: GH's about its attempts, ours to the product. */
export const createCallbackRoutes = (deps: GatewayDeps): Record<'receiveCallback' | 'redeliverCallback', RequestHandler> => ({
  // GH gives up after 14 s and four tries (ghosthands §8), so it gets its answer whatever becomes of the hint.
  receiveCallback: answer(endpoints.receiveCallback, async ({ params: { attemptId }, body }, { log }) => {
    const { effect, jobId, hasOwner } = await recordCallback(deps.pool, { attemptId, callback: body });
    if (effect === 'wakes_job' && jobId !== null) {
      // A worker may have been given a job that Temporal was too busy to start.
      const isDelivered = await deps.workflows.wakeApplyJob(jobId, `callback ${body.status}`, { hasOwner });
      if (!isDelivered) log.info('A callback did not reach its workflow; the sweep finds what it said', { jobId, attemptId });
    } else {
      log.info('A callback had no effect', { attemptId, effect });
    }
    return { status: 200, body: { received: true, effect } };
  }),

  redeliverCallback: answer(endpoints.redeliverCallback, async ({ params }, facts) => {
    const { log, caller } = facts;
    const { jobId, generation, seq } = params;
    const isReopened = await withTransaction(deps.pool, async (client) => {
      const isThere = await reopenCallback(client, { jobId, generation, seq, giveUpMs: deps.limits.callbackGiveUpMs });
      if (isThere)
        await recordAct(client, { ...actorOf(facts), act: 'redeliver', subjectKind: 'job', subject: jobId, detail: { generation, seq } });
      return isThere;
    });
    if (!isReopened) {
      if ((await findJob(deps.pool, jobId)) === null) throw noSuchJob(jobId);
      throw new Problem('callback_not_found', `Job ${jobId} has no callback ${generation}/${seq}; GET /v1/jobs/${jobId} lists them`);
    }
    log.info('A callback is delivered again by hand', { jobId, generation, seq, key: caller?.name });
    const isStarted = await deps.workflows.deliverCallbacks({ jobId, generation }).then(
      () => true,
      (error: unknown) => {
        log.warn('Temporal did not take the delivery in time; the sweep starts it', { jobId, generation, error });
        return false;
      },
    );
    return { status: 202, body: { jobId, generation, seq, isStarted } };
  }),
});

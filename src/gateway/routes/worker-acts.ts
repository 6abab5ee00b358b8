import type { RequestHandler } from 'express';
import type { WorkerAct, WorkerActView } from '../../contracts/worker-act';
import { recordAct } from '../../db/audit';
import { findWorker } from '../../db/fleet/fleet';
import { listHolds, makeWorkerHolder, releaseHolder } from '../../db/fleet/holds';
import { withTransaction } from '../../db/pool';
import { findLastWorkerAct } from '../../db/fleet/worker-acts';
import { actorOf } from '../actor';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';
import { drainWorker, noSuchWorker, recycleWorker, withWaitDetail } from '../worker-act';

type Names = 'drainWorker' | 'getDrain' | 'releaseWorker' | 'recycleWorker' | 'getRecycle';

/** What is asked of a worker rather than of a job: keep it from jobs and wait, let it have them again, replace its process. */
export const createWorkerActRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => {
  const waitMsOf = ({ wait = deps.limits.commandWaitSecondsDefault }: { wait?: number }): number => wait * 1_000;

  const read = async (workerId: string, act: WorkerAct): Promise<Answer> => {
    const view = await findLastWorkerAct(deps.pool, deps.limits, { workerId, act });
    if (view !== null) return { status: 200, body: await withWaitDetail(deps, view) };
    if ((await findWorker(deps.pool, deps.limits, workerId)) === null) throw noSuchWorker(workerId);
    throw new Problem('not_found', `Nobody has asked for a ${act} of ${workerId}`);
  };

  return {
    drainWorker: answer(endpoints.drainWorker, async ({ params: { workerId }, query, body: { reason, deadlineSeconds } }, facts) => {
      const deadlineMs = deadlineSeconds === undefined ? deps.limits.drainMs : deadlineSeconds * 1_000;
      return actAnswer(await drainWorker(deps, { workerId, reason, deadlineMs, waitMs: waitMsOf(query) }, facts));
    }),

    getDrain: answer(endpoints.getDrain, async ({ params: { workerId } }) => await read(workerId, 'drain')),

    releaseWorker: answer(endpoints.releaseWorker, async ({ params: { workerId }, body: { reason = null } }, facts) => {
      const { wasHeld, holds } = await withTransaction(deps.pool, async (client) => {
        const hosts = await releaseHolder(client, makeWorkerHolder({ workerId }));
        const worker = await findWorker(client, deps.limits, workerId);
        // The hold outlives the worker's row, and keeps jobs from whoever is on that machine next.
        if (hosts.length === 0 && worker === null) throw noSuchWorker(workerId);
        await recordAct(client, { ...actorOf(facts), act: 'release', subjectKind: 'worker', subject: workerId, detail: { reason } });
        const names = [...hosts, worker?.host ?? null, worker?.instanceId ?? null];
        return { wasHeld: hosts.length > 0, holds: await listHolds(client, names) };
      });
      facts.log.warn(wasHeld ? 'A worker is released' : 'The worker was not drained', {
        workerId,
        reason,
        stillHeldBy: holds.map(({ holder }) => holder),
      });
      return { status: 200, body: { workerId, wasHeld, holds } };
    }),

    recycleWorker: answer(endpoints.recycleWorker, async ({ params: { workerId }, query, body: { reason, force } }, facts) => {
      return actAnswer(await recycleWorker(deps, { workerId, reason, force, waitMs: waitMsOf(query) }, facts));
    }),

    getRecycle: answer(endpoints.getRecycle, async ({ params: { workerId } }) => await read(workerId, 'recycle')),
  };
};

const actAnswer = (view: WorkerActView): Answer => ({
  status: view.endedAt === null ? 202 : 200,
  headers: { Location: `/v1/workers/${encodeURIComponent(view.workerId)}/${view.act}` },
  body: view,
});

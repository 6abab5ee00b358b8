import type { RequestHandler } from 'express';
import { recordAct } from '../../db/audit';
import { deleteBrowserSessions, listBrowserSessions } from '../../db/browser-sessions';
import { findWorkersById, markOffline, type DeregisteredWorker } from '../../db/fleet/deregister';
import { makeWorkerHolder } from '../../db/fleet/holds';
import { findRefusal } from '../../db/outage';
import { withTransaction } from '../../db/pool';
import { holdWorker } from '../../db/fleet/worker-acts';
import { outcomes } from '../../domain/command-outcome';
import type { CommandOutcome } from '../../contracts/command';
import { actorOf } from '../actor';
import { cancelJob } from '../commands/cancel';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';
import type { RequestFacts } from '../request-facts';

type Names = 'deregisterWorkers' | 'listSessions' | 'clearSessions' | 'listSessionsOfUser' | 'clearSessionOfUser' | 'clearSessionsOfUser';

/** What VALET does to a worker that it gives up, and the browser sessions of its users, both in VALET's form and in GH's (valet §1.2). */
export const createValetFleetRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => {
  const { pool } = deps;
  const listed = async (userId: string): Promise<Answer> => {
    const sessions = await listBrowserSessions(pool, userId);
    return { status: 200, body: { user_id: userId, sessions, count: sessions.length } };
  };
  const clearedOne = async (userId: string, domain: string): Promise<Answer> => {
    if ((await deleteBrowserSessions(pool, userId, domain)) === 0) throw new Problem('not_found', 'That user has no session there');
    return { status: 200, body: { user_id: userId, domain, deleted: true } };
  };
  const clearedAll = async (userId: string): Promise<Answer> => ({
    status: 200,
    body: { user_id: userId, deleted_count: await deleteBrowserSessions(pool, userId, null) },
  });

  return {
    deregisterWorkers: answer(endpoints.deregisterWorkers, async ({ body }, facts) => {
      const workers = await findWorkersById(pool, body.target_worker_id);
      if (workers.length === 0)
        throw new Problem('worker_not_found', `No worker, target, instance or sandbox is called ${body.target_worker_id}`);
      return await deregister(deps, workers, { reason: body.reason ?? null, cancels: body.cancel_active_jobs }, facts);
    }),

    listSessions: answer(endpoints.listSessions, async ({ query }) => await listed(query.user_id)),
    clearSessions: answer(endpoints.clearSessions, async ({ query: { user_id: userId, domain } }) =>
      domain === undefined ? await clearedAll(userId) : await clearedOne(userId, domain),
    ),
    listSessionsOfUser: answer(endpoints.listSessionsOfUser, async ({ params: { userId } }) => await listed(userId)),
    clearSessionOfUser: answer(endpoints.clearSessionOfUser, async ({ params: { userId, domain } }) => await clearedOne(userId, domain)),
    clearSessionsOfUser: answer(endpoints.clearSessionsOfUser, async ({ params: { userId } }) => await clearedAll(userId)),
  };
};

interface DeregisteredJob {
  job_id: string;
  outcome: CommandOutcome | null;
  message: string;
}

/**
 * Held first, so that no further job comes; then its job is cancelled, or looked at, by its own workflow, while the registry still says where the
 * worker is; offline last. GH writes over the job instead, and its worker, which nobody tells, finishes and writes over that (ghosthands §1.4).
 */
const deregister = async (
  deps: GatewayDeps,
  workers: readonly DeregisteredWorker[],
  { reason, cancels }: { reason: string | null; cancels: boolean },
  facts: RequestFacts,
): Promise<Answer> => {
  const by = actorOf(facts);
  const why = reason ?? 'deregistered by the product';
  await withTransaction(deps.pool, async (client) => {
    for (const worker of workers) {
      const { workerId } = worker;
      await recordAct(client, {
        ...by,
        act: 'deregister',
        subjectKind: 'worker',
        subject: workerId,
        detail: { reason: why, cancelsJobs: cancels },
      });
      await holdWorker(client, worker, {
        holder: makeWorkerHolder({ workerId }),
        reason: why,
        actor: by.actor,
        expiresInMs: deps.limits.deregisterHoldMs,
      });
    }
  });
  facts.log.warn('Workers are deregistered', { workers: workers.map(({ workerId }) => workerId), reason: why, cancelsJobs: cancels });
  const jobIds = workers.flatMap(({ jobId }) => (jobId === null ? [] : [jobId]));
  const jobs = await Promise.all(
    jobIds.map(async (jobId) => (cancels ? await cancel(deps, jobId, why, facts) : await examine(deps, jobId))),
  );
  const workerIds = workers.map(({ workerId }) => workerId);
  await markOffline(deps.pool, workerIds).catch((error: unknown) => {
    // The registry is GH's: where we may not write it, the hold alone keeps jobs away, and the sweep sees the rest.
    if (findRefusal(error)?.code !== insufficientPrivilege) throw error;
    facts.log.warn('A deregistered worker could not be marked offline (docs/operators.md has the grant)', { workers: workerIds, error });
  });
  const cancelled = jobs
    .filter(({ outcome }) => outcome === 'cancelled' || outcome === 'cancelled_maybe_submitted')
    .map(({ job_id: jobId }) => jobId);
  return {
    status: 200,
    body: {
      deregistered: workerIds,
      deregistered_workers: workerIds,
      cancelled_jobs: cancelled,
      cancelled_job_ids: cancelled,
      reason,
      jobs,
    },
  };
};

const insufficientPrivilege = '42501';

const cancel = async (deps: GatewayDeps, jobId: string, reason: string, facts: RequestFacts): Promise<DeregisteredJob> => {
  const { outcome } = await cancelJob(deps, { jobId, reason, waitMs: deps.limits.productCommandWaitMs }, facts);
  return { job_id: jobId, outcome, message: outcome === null ? 'Its cancel is under way' : outcomes[outcome].words };
};

const examine = async ({ workflows }: GatewayDeps, jobId: string): Promise<DeregisteredJob> => {
  const isDelivered = await workflows.examineOwner(jobId, 'worker_deregistered').catch(() => false);
  return {
    job_id: jobId,
    outcome: null,
    message: isDelivered ? 'Its worker is examined; while that lives, the job goes on there' : 'The next sweep looks at it',
  };
};

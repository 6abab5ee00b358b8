import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerAct, WorkerActView } from '../contracts/worker-act';
import { recordAct } from '../db/audit';
import { findWorker, listProbes, type FleetProbe } from '../db/fleet/fleet';
import { withTransaction } from '../db/pool';
import { findLastWorkerAct, isDrainHeld, openWorkerAct } from '../db/fleet/worker-acts';
import { isAddress } from '../domain/host-address';
import type { PortAnswer } from '../domain/process-liveness';
import { judgeDrain } from '../domain/worker-drain';
import { actorOf } from './actor';
import type { GatewayDeps } from './gateway-deps';
import { Problem } from './problem';
import type { RequestFacts } from './request-facts';

export interface WorkerActRequest {
  workerId: string;
  reason: string;
  waitMs: number;
}

/** The hold and the line in the audit first, then the workflow that waits for the worker's job. */
export const drainWorker = async (
  deps: GatewayDeps,
  { workerId, reason, deadlineMs, waitMs, holdMs }: WorkerActRequest & { deadlineMs: number; holdMs?: number },
  facts: RequestFacts,
): Promise<WorkerActView> => {
  const view = await begin(deps, { act: 'drain', workerId, reason, deadlineMs, isForced: false, holdMs }, facts);
  const { actor, source } = actorOf(facts);
  const started = await deps.workflows.startDrainWorker({ workerId, reason, actor, source, deadlineMs });
  if (started.kind === 'unreachable') throw nobodyCarriesItOut('drain');
  return await withWaitDetail(deps, await awaitAct(deps, view, waitMs));
};

/** Refused while a job would be interrupted, unless that is wanted. One that has ended is not. */
export const recycleWorker = async (
  deps: GatewayDeps,
  { workerId, reason, force, waitMs }: WorkerActRequest & { force: boolean },
  facts: RequestFacts,
): Promise<WorkerActView> => {
  const worker = await findWorker(deps.pool, deps.limits, workerId);
  if (worker?.job && !worker.job.isOver && !force) throw workerBusy(worker.job);
  const view = await begin(deps, { act: 'recycle', workerId, reason, deadlineMs: null, isForced: force }, facts);
  const { actor, source } = actorOf(facts);
  const started = await deps.workflows.startRecycleWorker({ workerId, reason, actor, source, force });
  if (started.kind === 'unreachable') throw nobodyCarriesItOut('recycle');
  const seen = await awaitAct(deps, view, waitMs);
  // It got a job between our check and the hold.
  if (seen.outcome === 'refused' && seen.job !== null) throw workerBusy(seen.job);
  return seen;
};

/** What a drain that is under way waits for, by its workflow's own rule, over what the last probe said. */
export const withWaitDetail = async ({ pool, limits }: GatewayDeps, view: WorkerActView): Promise<WorkerActView> => {
  if (view.act !== 'drain' || view.endedAt !== null) return view;
  const { workerId } = view;
  const worker = await findWorker(pool, limits, workerId);
  const port = worker !== null && isAddress(worker.host) ? portOfProbe((await listProbes(pool, limits, worker))[0]) : null;
  const isHeld = await isDrainHeld(pool, { workerId, worker });
  const { detail } = judgeDrain({ workerId, isRegistered: worker !== null, isHeld, job: worker?.job ?? null, port });
  return { ...view, detail };
};

const portOfProbe = (probe: FleetProbe | undefined): PortAnswer => {
  const atMs = probe?.probedAt.getTime() ?? 0;
  if (probe?.isFresh !== true) return { kind: 'silent', atMs };
  if (probe.problem === 'refused') return { kind: 'refused', atMs };
  const { workerId, activeJobs, processStartedAt } = probe;
  if (workerId === null || activeJobs === null) return { kind: 'silent', atMs };
  const startedAtMs = processStartedAt?.getTime() ?? 0;
  return { kind: 'answers', atMs, workerId, activeJobs, startedAfterMs: startedAtMs, startedBeforeMs: startedAtMs };
};

export const noSuchWorker = (workerId: string): Problem =>
  new Problem('worker_not_found', `No worker ${workerId} is registered; GET /v1/workers lists them`);

const workerBusy = ({ jobId, state }: { jobId: string; state: string }): Problem =>
  new Problem('worker_busy', `Job ${jobId} is ${state} there and would be interrupted: drain first, cancel it, or repeat with force: true`);

const nobodyCarriesItOut = (act: WorkerAct): Problem =>
  new Problem('unavailable', `Temporal did not take the ${act} in time. The host is held already; repeat, which joins it`, {
    headers: { 'Retry-After': '2' },
  });

const begin = async (
  deps: GatewayDeps,
  act: { act: WorkerAct; workerId: string; reason: string; deadlineMs: number | null; isForced: boolean; holdMs?: number },
  facts: RequestFacts,
): Promise<WorkerActView> => {
  const by = actorOf(facts);
  return await withTransaction(deps.pool, async (client) => {
    const before = await findLastWorkerAct(client, deps.limits, act);
    const opened = await openWorkerAct(client, deps.limits, { ...act, ...by, isFollowUp: false });
    if (opened === null) throw noSuchWorker(act.workerId);
    if (before?.actId === opened.view.actId) {
      const detail = { actId: before.actId, reason: act.reason, force: act.isForced };
      await recordAct(client, { ...by, act: `${act.act}_joined`, subjectKind: 'worker', subject: act.workerId, detail });
    }
    facts.log.warn(`A ${act.act} of a worker is asked for`, { workerId: act.workerId, reason: act.reason, key: by.actor });
    return opened.view;
  });
};

/** The act as its lines say when it has ended, or when the time is over. */
const awaitAct = async ({ pool, limits }: GatewayDeps, { workerId, act, actId }: WorkerActView, waitMs: number): Promise<WorkerActView> => {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const seen = await findLastWorkerAct(pool, limits, { workerId, act });
    if (seen === null) throw new Error('an act that was written is gone');
    if (seen.actId !== actId || seen.endedAt !== null || Date.now() >= deadline) return seen;
    await delay(Math.min(limits.commandPollMs, Math.max(1, deadline - Date.now())));
  }
};

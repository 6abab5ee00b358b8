import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../src/contracts/errors';
import type { WorkflowLimits } from '../src/contracts/limits';
import type { DrainWorkerInput, RecycleWorkerInput } from '../src/contracts/messages';
import type { WorkerActOutcome, WorkerActView } from '../src/contracts/worker-act';
import { findWorker } from '../src/db/fleet';
import { makeRecycleHolder, releaseHolder } from '../src/db/holds';
import { withTransaction } from '../src/db/pool';
import { endWorkerAct, findLastWorkerAct, isDrainHeld, openWorkerAct, type NewWorkerAct, type OpenedAct } from '../src/db/worker-acts';
import type { PortSnapshot } from '../src/domain/exit-proof';
import { isAddress } from '../src/domain/host-address';
import { judgeDrain, type DrainFinding } from '../src/domain/worker-drain';
import type { OrchestratorDeps } from './deps';
import { createExitWatch, type ExitProof } from './exit-watch';

/** The process that a recycle replaces, and the attempt that it interrupts. */
export interface RecyclePlan {
  view: WorkerActView;
  /** Null: it may go on. */
  refusal: string | null;
  target: { workerId: string; host: string | null; instanceId: string | null };
  interrupted: { jobId: string; attemptId: string } | null;
}

/** The steps of a drain and of a recycle: both are about a worker, and write nothing of a job. */
export const createWorkerActActivities = (deps: OrchestratorDeps) => {
  const { pool, log, limits } = deps;
  const { probePort, watchExit } = createExitWatch(deps);

  return {
    /** Holds the worker's host; joins the drain that the gateway has written, or one that is under way. */
    async openDrain({
      workerId,
      reason,
      actor,
      source,
      deadlineMs,
    }: DrainWorkerInput): Promise<{ view: WorkerActView; remainingMs: number } & WorkflowLimits<'drainLookFirstMs' | 'drainLookMaxMs'>> {
      const { drainLookFirstMs, drainLookMaxMs } = limits;
      const wantedMs = Math.min(deadlineMs ?? limits.drainMs, limits.drainMaxMs);
      const { view, remainingMs } = await open({
        ...from({ workerId, reason, actor, source }),
        act: 'drain',
        deadlineMs: wantedMs,
        isForced: false,
      });
      log.warn('A worker is drained', { workerId, actor: view.actor, reason: view.reason });
      return { view, remainingMs: remainingMs ?? wantedMs, limits: { drainLookFirstMs, drainLookMaxMs } };
    },

    /** Is it through with its job? Asks rows and port, and changes nothing. */
    async lookAtDrain({ workerId }: { workerId: string }): Promise<{ finding: DrainFinding; jobId: string | null }> {
      const worker = await findWorker(pool, limits, workerId);
      const port = worker !== null && isAddress(worker.host) ? await probePort(worker.host, 'earliest') : null;
      const job = worker?.job ?? null;
      const isHeld = await isDrainHeld(pool, { workerId, worker });
      const finding = judgeDrain({ workerId, isRegistered: worker !== null, isHeld, job, port });
      return { finding, jobId: job?.jobId ?? null };
    },

    /** The hold stays after it: whoever drained it releases it. */
    async endDrain(end: {
      workerId: string;
      actId: string;
      outcome: WorkerActOutcome;
      detail: string;
      jobId: string | null;
    }): Promise<WorkerActView> {
      await endWorkerAct(pool, { ...end, act: 'drain' });
      log.warn('A drain has ended', end);
      return await getAct(end.workerId, 'drain');
    },

    /** Holds the worker's host for the time of it, so that no job arrives between the check and the command. */
    async openRecycle({ workerId, reason, actor, source, force }: RecycleWorkerInput): Promise<RecyclePlan> {
      const act = { ...from({ workerId, reason, actor, source }), act: 'recycle', deadlineMs: null, isForced: force === true } as const;
      const { view, worker } = await open(act);
      const { host, instanceId, job: last } = worker ?? { host: null, instanceId: null, job: null };
      const job = last?.isOver === true ? null : last;
      const busy =
        job === null || view.isForced || act.isForced ? null : `Job ${job.jobId} is ${job.state} there, and would be interrupted`;
      return {
        view,
        refusal: worker === null ? 'It is not registered any more' : busy,
        target: { workerId, host: isAddress(host) ? host : null, instanceId },
        interrupted: job === null ? null : { jobId: job.jobId, attemptId: job.attemptId },
      };
    },

    async lookBeforeRecycle({ host }: { host: string }): Promise<{ seen: PortSnapshot; atMs: number }> {
      return { seen: await probePort(host, 'latest'), atMs: Date.now() };
    },

    /** After the command: `gone` when another process, or none, is there now. */
    async proveRecycled({
      target: { host, workerId },
      attemptId,
      before,
    }: {
      target: RecyclePlan['target'];
      attemptId: string | null;
      before: { seen: PortSnapshot; atMs: number };
    }): Promise<ExitProof> {
      if (host === null) return null;
      // A process that started after the command began is another one, whatever the port said before.
      return await watchExit(host, before.seen, { workerId, attemptId, claimedAtMs: before.atMs, isAddressCurrent: true, isEnding: true });
    },

    async endRecycle(end: {
      workerId: string;
      actId: string;
      outcome: WorkerActOutcome;
      detail: string;
      jobId: string | null;
    }): Promise<WorkerActView> {
      await withTransaction(pool, async (client) => {
        await endWorkerAct(client, { ...end, act: 'recycle' });
        await releaseHolder(client, makeRecycleHolder(end));
      });
      log.warn('A recycle has ended', end);
      return await getAct(end.workerId, 'recycle');
    },
  };

  async function open(act: NewWorkerAct): Promise<OpenedAct> {
    const opened = await withTransaction(pool, async (client) => await openWorkerAct(client, limits, act));
    if (opened === null) throw ApplicationFailure.nonRetryable(`no worker ${act.workerId} is registered`, failureTypes.workerNotFound);
    return opened;
  }

  async function getAct(workerId: string, act: 'drain' | 'recycle'): Promise<WorkerActView> {
    const view = await findLastWorkerAct(pool, limits, { workerId, act });
    if (view === null) throw ApplicationFailure.nonRetryable(`nobody asked for a ${act} of ${workerId}`, failureTypes.workerNotFound);
    return view;
  }
};

export type WorkerActActivities = ReturnType<typeof createWorkerActActivities>;

/** Where the gateway wrote the act it is joined, and these are not used. */
const from = ({ workerId, reason, actor, source }: Pick<DrainWorkerInput, 'workerId' | 'reason' | 'actor' | 'source'>) => ({
  workerId,
  reason: reason ?? '',
  actor: actor ?? 'somebody',
  source: source ?? 'temporal',
  address: null,
  isFollowUp: true,
});

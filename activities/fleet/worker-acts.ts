import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../src/contracts/errors';
import type { WorkflowLimits } from '../../src/contracts/limits';
import type { DrainWorkerInput, RecycleWorkerInput } from '../../src/contracts/messages';
import type { WorkerActOutcome, WorkerActView } from '../../src/contracts/worker-act';
import { findWorker } from '../../src/db/fleet/fleet';
import { makeRecycleHolder, releaseHolder } from '../../src/db/fleet/holds';
import { findCancelListener } from '../../src/db/commands/cancel-listeners';
import { findLeftProcess, noteReleaseProblem, noteReleaseTry, settleLeftProcesses } from '../../src/db/attempts/left-processes';
import { clearLeftWaiters, endOrphanedAttempts, listOrphanedAttempts } from '../../src/db/attempts/orphaned-attempts';
import { withTransaction } from '../../src/db/pool';
import { noteRecycleProof } from '../../src/db/fleet/recycle-command';
import {
  endWorkerAct,
  findLastWorkerAct,
  isDrainHeld,
  openWorkerAct,
  type NewWorkerAct,
  type OpenedAct,
} from '../../src/db/fleet/worker-acts';
import { saveProbes } from '../../src/db/fleet/workers';
import { isAddress } from '../../src/domain/host-address';
import { judgeLeftProcess, whyReplaced, type LeftProcess } from '../../src/domain/left-process';
import { endOfOrphaned } from '../../src/domain/orphaned-attempt';
import type { PortAnswer } from '../../src/domain/process-liveness';
import { judgeDrain, type DrainFinding } from '../../src/domain/worker-drain';
import type { OrchestratorDeps } from '../deps';
import { readClaim, watchExit, type ExitProof } from '../commands/exit-watch';
import { probeHost } from './host-probe';
import { readPort } from './worker-port';

/** The process that a recycle replaces, and the attempt that it interrupts. */
export interface RecyclePlan {
  view: WorkerActView;
  /** Null: it may go on. */
  refusal: string | null;
  target: { workerId: string; host: string | null; instanceId: string | null };
  interrupted: { jobId: string; attemptId: string } | null;
}

type LeftInspection = { kind: 'over'; isAsked: boolean } | { kind: 'left' } | { kind: 'settles'; afterMs: number };

/** The steps of a drain and of a recycle: both are about a worker, and write nothing of a job but the end of an attempt that it has left behind. */
export const createWorkerActActivities = (deps: OrchestratorDeps & { heartbeat: () => void }) => {
  const { pool, log, limits, hosts, workflows } = deps;

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
      const port = worker !== null && isAddress(worker.host) ? await readPort(hosts, worker.host) : null;
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

    /**
     * Is the process that had this attempt still there, and has it to be replaced? `settles`: inspect it again after a moment. What is over by itself is
     * settled here, without a hold; `isAsked`: a person wants the recycle all the same.
     */
    async inspectLeftProcess({ workerId, attemptId }: { workerId: string; attemptId: string }): Promise<LeftInspection> {
      await endIfOver(attemptId);
      const left = await findLeftProcess(pool, attemptId);
      const over = async (): Promise<LeftInspection> => {
        const act = await findLastWorkerAct(pool, limits, { workerId, act: 'recycle' });
        return { kind: 'over', isAsked: act !== null && act.endedAt === null };
      };
      if (left === null) return await over();
      const port = left.host === null ? null : await readPort(hosts, left.host);
      const isListening = (await findCancelListener(pool, attemptId)) === 'present';
      const found = judgeLeftProcess(left, port, { nowMs: Date.now(), isListening, limits });
      if (found.kind === 'left' || found.kind === 'settles') return found;
      if (found.kind === 'gone' && left.host !== null) await settle({ workerId: left.workerId, host: left.host });
      if (found.kind === 'hindered') await noteProblem(left, found.problem);
      return await over();
    },

    /** Holds the worker's host for the time of it, so that no job arrives between the check and the command. */
    async openRecycle({ workerId, reason, actor, source, force, attemptId }: RecycleWorkerInput): Promise<RecyclePlan> {
      const left = attemptId === undefined ? null : await findLeftProcess(pool, attemptId);
      const by = from({ workerId, reason: reason ?? (left === null ? undefined : whyReplaced(left)), actor, source });
      const act = { ...by, act: 'recycle', deadlineMs: null, isForced: force === true } as const;
      const { view, worker } = await open(act);
      if (left !== null) await noteReleaseTry(pool, { attemptId: left.attemptId, leaseMs: limits.recycleHoldMs });
      const { host, instanceId, job: last } = worker ?? { host: null, instanceId: null, job: null };
      const job = last?.isOver === true ? null : last;
      // The attempt that nobody needs any more is what it is about, also while its job still means it.
      const mayInterrupt = job === null || view.isForced || act.isForced || job.attemptId === left?.attemptId;
      const busy = mayInterrupt ? null : `Job ${job.jobId} is ${job.state} there, and would be interrupted`;
      return {
        view,
        refusal: worker === null ? 'It is not registered any more' : busy,
        target: { workerId, host: isAddress(host) ? host : null, instanceId },
        interrupted: job === null ? null : { jobId: job.jobId, attemptId: job.attemptId },
      };
    },

    async lookBeforeRecycle({ host }: { host: string }): Promise<PortAnswer> {
      return await readPort(hosts, host);
    },

    /** After the command: `gone` when another process, or none, is there now. */
    async proveRecycled({
      target: { host, workerId },
      attemptId,
      before,
    }: {
      target: RecyclePlan['target'];
      attemptId: string | null;
      before: PortAnswer;
    }): Promise<ExitProof> {
      if (host === null) return null;
      // A process that started after the command began is another one, whatever the port said before.
      const boundByMs = attemptId === null ? null : (await readClaim(deps, attemptId)).boundByMs;
      const known = { workerId, attemptId, ranAtMs: before.atMs, boundByMs, before, isAddressCurrent: true };
      return await watchExit(deps, host, { ...known, isEnding: true });
    },

    /**
     * Waits until the next process answers, which GH takes its time for, and keeps its answer: so the worker is idle the moment it is, and not at the next
     * pass of the sweep. The one before it is proven gone by now. False: nobody answers yet.
     */
    async awaitFreshWorker({ host }: { host: string }): Promise<boolean> {
      const deadline = Date.now() + limits.freshWorkerMs;
      for (;;) {
        const probe = await probeHost(hosts, host);
        if (probe.isWorkerUp) {
          await saveProbes(pool, [probe], { jitterMs: limits.processStartJitterMs });
          return true;
        }
        if (Date.now() >= deadline) return false;
        deps.heartbeat();
        await sleep(limits.freshWorkerEveryMs);
      }
    },

    async endRecycle({
      host,
      attemptId,
      ...end
    }: {
      workerId: string;
      actId: string;
      outcome: WorkerActOutcome;
      detail: string;
      jobId: string | null;
      /** Where it was done, and for which attempt; ends of before these were known lack them. */
      host?: string | null;
      attemptId?: string;
    }): Promise<WorkerActView> {
      const left = attemptId === undefined ? null : await findLeftProcess(pool, attemptId);
      if (end.outcome === 'recycled' && typeof host === 'string') await settle({ workerId: end.workerId, host });
      else if (left !== null) await noteProblem(left, end.detail);
      await withTransaction(pool, async (client) => {
        await endWorkerAct(client, { ...end, act: 'recycle' });
        await releaseHolder(client, makeRecycleHolder(end));
        if (end.outcome === 'recycled') await noteRecycleProof(client, `Worker ${end.workerId} was recycled`);
      });
      log.warn('A recycle has ended', end);
      return await getAct(end.workerId, 'recycle');
    },
  };

  /** Its row, or its worker, may say by now that it is over; nobody has to be replaced then. */
  async function endIfOver(attemptId: string): Promise<void> {
    await clearLeftWaiters(pool);
    const orphaned = (await listOrphanedAttempts(pool, limits)).find((attempt) => attempt.attemptId === attemptId);
    const end = orphaned === undefined ? null : endOfOrphaned(orphaned, limits);
    if (end !== null) await endOrphanedAttempts(pool, [{ attemptId, end }]);
  }

  /** An attempt that its job still means is ended by the job's own workflow. */
  async function settle(place: { workerId: string; host: string }): Promise<void> {
    const current = await withTransaction(pool, async (client) => await settleLeftProcesses(client, place));
    for (const { jobId, attemptId } of current) {
      await workflows.ensureApplyJob(jobId, { reason: 'worker_recycled', examineOwner: false, stopped: { attemptId, proof: 'gone' } });
    }
  }

  async function noteProblem({ attemptId, jobId, workerId }: LeftProcess, problem: string): Promise<void> {
    const { releaseRetryFirstMs: firstMs, releaseRetryMaxMs: maxMs } = limits;
    await noteReleaseProblem(pool, { attemptId, problem, firstMs, maxMs });
    log.error('A worker waits for a restart', { workerId, jobId, attemptId, problem });
  }

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

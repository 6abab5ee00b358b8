import { ApplicationFailure } from '@temporalio/common';
import type { PoolClient } from 'pg';
import { failureTypes } from '../../src/contracts/errors';
import { makeApplyJobId } from '../../src/contracts/ids';
import type { WorkflowLimits } from '../../src/contracts/limits';
import type { JobView } from '../../src/contracts/job';
import type { Observation } from '../../src/contracts/observations';
import { readFinding, wasClaimed } from '../../src/domain/attempt-finding';
import { isResolvable, isTerminal } from '../../src/domain/job-state';
import { decideNextStep, type OwnerProof } from '../../src/domain/next-step';
import { cleanPersonText } from '../../src/domain/person-text';
import { provenByCallback } from '../../src/domain/submission-evidence';
import { lockJobWithAttempt, type AttemptRead } from '../../src/db/attempts/attempts';
import { findUntriedLeftProcess } from '../../src/db/attempts/left-processes';
import { findJob, openJob, openNextGeneration, touchWaitingJob, viewJob, type Job } from '../../src/db/jobs/jobs';
import { mirrorJob } from '../../src/db/jobs/mirror';
import { withTransaction } from '../../src/db/pool';
import { endPersonCommands } from '../../src/db/commands/person-commands';
import type { OrchestratorDeps } from '../deps';
import { applyStep, enterState } from './job-steps';

interface Owned {
  jobId: string;
  /** firstExecutionRunId: every write below happens only while the job is still ours. */
  owner: string;
}

/**
 * What is known, besides its rows, of the worker that has this attempt. A step may be repeated after it was committed and its answer was lost; by then
 * the job may have another attempt, of which this says nothing.
 */
interface Evidence {
  attemptId: string | undefined;
  proof: OwnerProof;
  isUnreachable: boolean;
}

/** One transaction of a step. */
interface Turn {
  /** Something of an attempt may hang in its worker's process. */
  noteLeft: () => void;
  /** Its observations count once it is committed. */
  step: OrchestratorDeps;
}

/**
 * The steps of a job. Each reads the rows, asks src/domain, writes the answer in one transaction and says what the rows say now, so each may
 * run any number of times, after any crash, over any state.
 */
export const createJobActivities = (deps: OrchestratorDeps) => {
  const { pool, limits } = deps;

  const inTransaction = async (work: (client: PoolClient, turn: Turn) => Promise<Job>): Promise<JobView> => {
    const seen: Observation[] = [];
    const step = { ...deps, observe: (one: Observation) => void seen.push(one) };
    let mayBeLeft = false;
    const job = await withTransaction(pool, async (client) => {
      const after = await work(client, { noteLeft: () => void (mayBeLeft = true), step });
      // With the change that decides it, so that a command ends without a reader; the sweep ends what is left.
      if (after.openMessages.length > 0) {
        for (const { kind, route, outcome } of await endPersonCommands(client, after)) seen.push({ of: 'command', kind, route, outcome });
      }
      return after;
    });
    seen.forEach(deps.observe);
    return await toView(job, mayBeLeft);
  };
  const toView = async (job: Job, mayBeLeft = false): Promise<JobView> => {
    const view = viewJob(job, recheckMs(job, limits));
    return mayBeLeft || hasIdleAttempt(job) ? { ...view, leftProcess: await findUntriedLeftProcess(pool, job.jobId) } : view;
  };

  return {
    /** Takes the job over and, where it is new and no worker has it yet, lets it wait for one. */
    async openJob({ jobId, owner, workflowId }: Owned & { workflowId?: string }): Promise<JobView & WorkflowLimits<'callbackDrainMs'>> {
      // It would take the job from its own workflow, and nobody's messages would reach it there.
      if (workflowId !== undefined && workflowId !== makeApplyJobId({ jobId })) {
        const wanted = `the workflow of job ${jobId} has the workflow id ${makeApplyJobId({ jobId })}, not ${cleanPersonText(workflowId)}`;
        throw ApplicationFailure.nonRetryable(wanted, failureTypes.invalidInput);
      }
      const { callbackDrainMs } = limits;
      const opened = orNoJob(await openJob(pool, { jobId, owner, waitMs: limits.waitForWorkerMs }), jobId);
      // Cancelled before anybody had it, or with something else to end: few.
      const view =
        opened.state === 'accepted' || opened.openMessages.length > 0
          ? await inTransaction(async (client, { step }) => {
              const job = await getJob(client, jobId, { lock: true });
              return job.state === 'accepted' && job.owner === owner ? await enterState(step, client, job, cancelledBeforeWorker) : job;
            })
          : await toView(opened);
      return { ...view, limits: { callbackDrainMs } };
    },

    /** Looks at the rows and takes the next step, if there is one. `proof` is what examining the worker, or a cancel that stopped it, gave. */
    async advanceJob({ jobId, owner, attemptId, proof = 'none', isUnreachable = false }: Owned & Partial<Evidence>): Promise<JobView> {
      return await inTransaction(async (client, { noteLeft, step }) => {
        const { job, read } = orNoJob(await lockJobWithAttempt(client, jobId), jobId);
        checkOwner(job, owner);
        if (isTerminal(job.state) || job.state === 'accepted') return job;
        if (read.kind === 'seen' && read.seen.openHumanWaits > 0) noteLeft();
        return (await advance(step, client, job, read, { attemptId, proof, isUnreachable })) ?? (await getJob(client, jobId));
      });
    },

    /** A person's decision on how a review or a possible submission ended. Its worker stays taken until its process is another one. */
    async resolveJob({
      jobId,
      owner,
      submitted,
      note,
      actor,
    }: Owned & { submitted: boolean; note?: string; actor?: string }): Promise<JobView> {
      return await inTransaction(async (client, { step }) => {
        const job = await getOwnedJob(client, jobId, owner, { lock: true });
        if (!isResolvable(job)) return job;
        return await enterState(step, client, job, {
          state: submitted ? 'succeeded' : 'failed',
          reason: submitted ? 'resolved_submitted' : 'resolved_not_submitted',
          detail: `${actor ?? 'somebody'}: ${note ?? (submitted ? 'it was submitted' : 'it was not submitted')}`,
          submission: submitted ? 'yes' : 'no',
          deadlineInMs: null,
        });
      });
    },

    /** A person's decision that an uncertain job is tried again: this generation ends, the next one opens. */
    async retryJob({ jobId, owner, confirm, actor }: Owned & { confirm?: boolean; actor?: string }): Promise<JobView> {
      return await inTransaction(async (client, { noteLeft, step }) => {
        const job = await getOwnedJob(client, jobId, owner, { lock: true });
        if (job.state !== 'uncertain' || confirm !== true) return job;
        noteLeft();
        await enterState(step, client, job, {
          state: 'failed',
          reason: 'retried_by_person',
          detail: actor ?? 'somebody',
          deadlineInMs: null,
        });
        await openNextGeneration(client, { jobId, actor: actor ?? 'somebody', jobMs: limits.jobMs });
        await mirrorJob(client, jobId, { showsWorkerId: deps.showsWorkerId, isNewLife: true });
        return await getJob(client, jobId);
      });
    },
  };

  /** The job as it is then; null where only its attempt has changed, or nothing. */
  async function advance(turn: OrchestratorDeps, client: PoolClient, job: Job, read: AttemptRead, evidence: Evidence): Promise<Job | null> {
    const move = async (to: Parameters<typeof enterState>[3]): Promise<Job> => await enterState(turn, client, job, to);
    if (job.state === 'waiting' && job.isCancelRequested) return await move(cancelledBeforeWorker);
    if (job.state === 'waiting' && isPast(job.deadlineAt, job.now)) {
      return await move({ state: 'expired', reason: 'expired', detail: 'No worker was free in time', deadlineInMs: null });
    }
    if (job.state === 'uncertain' && isPast(job.deadlineAt, job.now)) {
      return await move({ state: 'failed', reason: 'unresolved', detail: 'Nobody said how it ended', deadlineInMs: null });
    }
    const isOver = job.attempt?.state === 'ended';
    // Of an attempt that is over only an uncertain job wants to know more.
    if (job.state === 'waiting' || job.attempt === null || (isOver && job.state !== 'uncertain')) {
      await touchWaitingJob(client, job.jobId);
      return null;
    }
    const { attemptId } = job.attempt;
    const { proof, isUnreachable } = evidence.attemptId === attemptId ? evidence : nothingKnown;
    const seen = read.kind === 'seen' ? read.seen : null;
    if (read.kind === 'unreadable')
      deps.log.error('An attempt row breaks our expectations', { jobId: job.jobId, attemptId, problem: read.problem });
    const finding =
      seen === null
        ? { kind: 'unreadable' as const, problem: read.kind === 'unreadable' ? read.problem : 'the row is gone' }
        : readFinding(seen);
    // An attempt that is first seen at its end is marked as claimed by this very step, and counts already.
    const isFirstSeen = seen !== null && wasClaimed(seen) && job.attempt.claimedAt === null;
    const facts = { ...job, tries: job.tries + (isFirstSeen ? 1 : 0) };
    const step = decideNextStep(
      facts,
      finding,
      {
        now: job.now,
        proof,
        heartbeatAgeMs: seen?.heartbeatAgeMs ?? null,
        isUnreachable,
        callbackProof: seen === null ? null : provenByCallback(seen),
        isOver,
        mayHaveLostWrites: seen?.mayHaveLostWrites ?? true,
      },
      limits,
    );
    return await applyStep(turn, client, { ...job, isRerunByGh: job.isRerunByGh || (seen?.hasCrashEvent ?? false) }, attemptId, seen, step);
  }
};

export type JobActivities = ReturnType<typeof createJobActivities>;

/** Nobody needs its attempt any more, or nobody came in time: the exception, so that the usual step asks nothing more. */
const hasIdleAttempt = ({ state, attempt }: Job): boolean =>
  attempt !== null && attempt.state !== 'ended' && (isTerminal(state) || state === 'uncertain');

const nothingKnown = { proof: 'none', isUnreachable: false } as const;

const cancelledBeforeWorker = { state: 'cancelled', reason: 'cancelled_before_worker', deadlineInMs: null } as const;

const orNoJob = <Found>(found: Found | null, jobId: string): Found => {
  if (found === null) throw ApplicationFailure.nonRetryable(`no job ${jobId}`, failureTypes.jobNotFound);
  return found;
};

const checkOwner = ({ jobId, owner }: Job, wanted: string): void => {
  if (owner !== wanted) throw ApplicationFailure.nonRetryable(`job ${jobId} belongs to another workflow`, failureTypes.notOwner);
};

const getJob = async (client: PoolClient, jobId: string, { lock = false } = {}): Promise<Job> =>
  orNoJob(await findJob(client, jobId, { lock }), jobId);

const getOwnedJob = async (client: PoolClient, jobId: string, owner: string, { lock = false } = {}): Promise<Job> => {
  const job = await getJob(client, jobId, { lock });
  checkOwner(job, owner);
  return job;
};

/** The longer a doubt lasts, the rarer the checks, so that a silent host cannot fill a history. A wait for a person may last a day. */
const recheckMs = (job: Job, limits: OrchestratorDeps['limits']): number =>
  Math.min(
    job.state === 'waiting_human' ? limits.restRecheckMs : 60_000,
    Math.max(limits.doubtRecheckMs, (job.now.getTime() - job.stateAt.getTime()) / 10),
  );

const isPast = (deadlineAt: Date | null, now: Date): boolean => deadlineAt !== null && deadlineAt.getTime() <= now.getTime();

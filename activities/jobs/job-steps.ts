import type { PoolClient } from 'pg';
import type { AttemptSnapshot } from '../../src/contracts/ghosthands';
import { makeCallbackBody } from '../../src/domain/callback-body';
import { callbackOf, mayMove } from '../../src/domain/job-state';
import { attemptDeadline, type NextStep } from '../../src/domain/next-step';
import { cleanWorkerText } from '../../src/domain/worker-text';
import { endAttempt, mirrorEvents, noteProof, readAttemptResult, takeBack } from '../../src/db/attempts/attempts';
import { recordAct } from '../../src/db/audit';
import { enqueueCallback } from '../../src/db/callbacks/callbacks';
import { moveJob, touchJob, type AttemptWork, type Job, type Move } from '../../src/db/jobs/jobs';
import { mirrorStep } from '../../src/db/jobs/mirror';
import type { OrchestratorDeps } from '../deps';

/** Writes what the domain decided. Answers the job as it is then, where its state has changed. */
export const applyStep = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  attemptId: string,
  seen: AttemptSnapshot | null,
  step: NextStep,
): Promise<Job | null> => {
  const { limits } = deps;
  const end = async (
    endReason: string,
    submission: Job['submission'],
    errorCode: string | null,
    isWorkerFree: boolean,
  ): Promise<AttemptWork> => {
    // Its end was written, and counted, before the proof of what it did.
    if (job.attempt?.state === 'ended') {
      await noteProof(client, { attemptId, submission });
      return {};
    }
    const claimedAt = job.attempt?.claimedAt ?? seen?.claimedAt ?? null;
    deps.observe({ of: 'attempt', end: endReason, seconds: claimedAt === null ? null : secondsBetween(claimedAt, job.now) });
    return { end: { endReason, submission, errorCode, hasLeftWaiter: (seen?.openHumanWaits ?? 0) > 0, isWorkerFree } };
  };
  const claim = (): AttemptWork => {
    if (job.attempt?.state === 'assigned') observeClaim(deps, job, seen);
    return job.attempt?.state === 'assigned' || seen?.isArmed !== false ? { claim: { claimedAt: seen?.claimedAt ?? null } } : {};
  };
  const touch = async (): Promise<void> =>
    await touchJob(client, {
      jobId: job.jobId,
      isOwnerInDoubt: step.act === 'stay' && step.isOwnerInDoubt,
      isRerunByGh: job.isRerunByGh,
    });

  switch (step.act) {
    case 'stay':
      await touch();
      return null;

    case 'run':
      return await enterState(deps, client, job, {
        state: 'running',
        reason: job.state === 'waiting_human' ? 'resumed' : 'running',
        deadlineInMs: attemptDeadline(job, job.now, limits).getTime() - job.now.getTime(),
        work: claim(),
      });

    case 'wait_for_human':
      return await enterState(deps, client, job, {
        state: 'waiting_human',
        reason: step.humanKind === 'review' ? 'review' : (seen?.interactionType ?? 'blocker'),
        humanKind: step.humanKind,
        deadlineInMs: step.deadlineAt.getTime() - job.now.getTime(),
        ghWaitsMs: step.ghWaitsUntil.getTime() - job.now.getTime(),
        work: claim(),
      });

    case 'end_attempt': {
      const work = await end(step.endReason, step.submission, null, step.endReason !== 'lost');
      await Promise.all([
        touch(),
        work.end === undefined ? undefined : endAttempt(client, { attemptId, ...work.end }),
        mirrorEvents(client, job.jobId),
      ]);
      return null;
    }

    case 'take_back': {
      if (!(await takeBack(client, attemptId))) return null;
      const work = await end(step.then === 'cancel' ? 'taken_back' : 'not_claimed', 'no', null, false);
      return step.then === 'cancel'
        ? await enterState(deps, client, job, { state: 'cancelled', reason: 'cancelled_before_claim', deadlineInMs: null, work })
        : await waitAgain(deps, client, job, {
            reason: 'not_claimed',
            detail: 'The worker did not take it',
            afterMs: 0,
            errorCode: null,
            work,
          });
    }

    case 'retry':
      return await waitAgain(deps, client, job, {
        reason: 'retry',
        detail: `${step.reason}: ${step.detail}`,
        afterMs: step.afterMs,
        errorCode: step.reason,
        work: { ...claim(), ...(await end(step.endReason, 'no', step.reason, step.endReason !== 'lost')) },
      });

    case 'end': {
      const errorCode = step.state === 'failed' ? (step.errorCode ?? step.reason) : null;
      const work = { ...claim(), ...(await end(step.endReason, step.submission, errorCode, step.endReason !== 'lost')) };
      if (step.reason === 'resolved_by_proof') await recordProof(client, job, step);
      return await enterState(deps, client, job, {
        state: step.state,
        reason: step.reason,
        detail: step.detail,
        submission: step.submission,
        deadlineInMs: null,
        ...(errorCode === null ? {} : { errorCode, errorMessage: step.detail }),
        work,
      });
    }

    case 'ask_a_person':
      return await enterState(deps, client, job, {
        state: 'uncertain',
        reason: step.reason,
        detail: step.detail,
        submission: step.submission,
        deadlineInMs: limits.uncertainMs,
        errorCode: step.reason,
        errorMessage: step.detail,
        work: {
          ...claim(),
          ...(step.endReason === null ? {} : await end(step.endReason, step.submission, step.reason, step.endReason !== 'lost')),
        },
      });
  }
};

/** Nobody asked for it, so that no command tells of it. */
const recordProof = async (
  client: PoolClient,
  { jobId, generation }: Job,
  { state, submission }: { state: string; submission: string },
): Promise<void> => {
  await recordAct(client, {
    actor: 'yardmaster',
    source: 'proof',
    address: null,
    act: 'resolve',
    subjectKind: 'job',
    subject: jobId,
    outcome: 'resolved',
    detail: { generation, state, submission },
  });
};

const observeClaim = ({ observe }: OrchestratorDeps, job: Job, seen: AttemptSnapshot | null): void => {
  if (job.state !== 'assigned') return;
  observe({ of: 'wait', wait: 'claim', seconds: secondsBetween(job.stateAt, seen?.claimedAt ?? job.now) });
  if (job.attempt?.number === 1) observe({ of: 'wait', wait: 'worker', seconds: secondsBetween(job.acceptedAt, job.stateAt) });
};

/** Clocks of two machines may be in it: a neighbour's stamp can lie before ours. */
const secondsBetween = (from: Date, to: Date): number => Math.max(0, (to.getTime() - from.getTime()) / 1_000);

type JobMove = Omit<Move, 'jobId' | 'generation' | 'attempt'> & {
  /** Of a wait for a person: how long GH will still listen. */
  ghWaitsMs?: number;
};

/**
 * Moves the job, and with it everything that follows from a state: what becomes of its attempt, the callback, the mirror, and at the end the personal data of the
 * attempts. The statements travel together, in this order. Answers the job as it is then.
 */
export const enterState = async (deps: OrchestratorDeps, client: PoolClient, job: Job, move: JobMove): Promise<Job> => {
  if (!mayMove(job.state, move.state)) throw new Error(`a job cannot go from ${job.state} to ${move.state}`);
  const { ghWaitsMs: _ours, ...kept } = withCleanTexts(move);
  deps.observe({ of: 'state', state: move.state });
  const moved = moveJob(client, {
    ...kept,
    jobId: job.jobId,
    generation: job.generation,
    isRerunByGh: job.isRerunByGh,
    attempt: job.attempt === null ? null : { attemptId: job.attempt.attemptId, workerId: job.attempt.workerId },
  });
  // The mirror answers with the callbacks that are due.
  const told = job.hasCallbackUrl
    ? await Promise.all([moved, notifyProduct(deps, client, job, { ...kept, ghWaitsMs: move.ghWaitsMs })])
    : [moved];
  const [after] = await Promise.all([mirrorStep(client, job.jobId, deps), ...told]);
  return after;
};

/** GH's own texts go into the row, the history, the mirror and the callback: they are cleaned before the first. */
const withCleanTexts = <Kept extends Pick<Move, 'detail' | 'errorMessage'>>(move: Kept): Kept => ({
  ...move,
  ...(typeof move.detail === 'string' ? { detail: cleanWorkerText(move.detail) } : {}),
  ...(typeof move.errorMessage === 'string' ? { errorMessage: cleanWorkerText(move.errorMessage) } : {}),
});

const notifyProduct = async (deps: OrchestratorDeps, client: PoolClient, job: Job, move: JobMove): Promise<void> => {
  const callback = callbackOf[move.state];
  if (callback === null) return;
  const result = job.attempt === null || callback.status === 'running' ? null : await readAttemptResult(client, job.attempt.attemptId);
  const body = makeCallbackBody(callback.status, {
    jobId: job.jobId,
    valetTaskId: job.valetTaskId,
    state: move.state,
    workerId: deps.showsWorkerId ? (job.attempt?.workerId ?? null) : null,
    at: job.now,
    errorCode: move.errorCode ?? null,
    errorMessage: move.errorMessage ?? move.detail ?? null,
    humanKind: move.humanKind ?? null,
    humanWaitMs: move.ghWaitsMs ?? null,
    isRerunByGh: job.isRerunByGh,
    result,
  });
  // Each `running` resets the task's start in VALET (valet §2.3): once a generation, and after a human was waited for.
  const isOncePerGeneration = callback.status === 'running' && job.state !== 'waiting_human';
  // It left the product in doubt, and its doubt may still be on its way.
  const isDoubtOver = job.state === 'uncertain' && move.submission !== undefined && move.submission !== 'maybe';
  await enqueueCallback(
    client,
    {
      jobId: job.jobId,
      generation: job.generation,
      ...callback,
      isOncePerGeneration,
      isInsteadOfUnsent: isDoubtOver,
      waitsMs: move.ghWaitsMs ?? null,
      body,
    },
    deps.limits,
  );
};

const waitAgain = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  {
    reason,
    detail,
    afterMs,
    errorCode,
    work,
  }: Required<Pick<JobMove, 'reason' | 'detail' | 'work'>> & { afterMs: number; errorCode: string | null },
): Promise<Job> =>
  await enterState(deps, client, job, {
    state: 'waiting',
    reason,
    detail,
    deadlineInMs: deps.limits.waitForWorkerMs,
    notBeforeInMs: afterMs === 0 ? null : afterMs,
    errorCode,
    work,
  });

import type { PoolClient } from 'pg';
import type { AttemptSeen } from '../src/contracts/ghosthands';
import { makeCallbackBody } from '../src/domain/callback-body';
import { callbackOf, isTerminal, mayMove } from '../src/domain/job-state';
import { attemptDeadline, type NextStep } from '../src/domain/next-step';
import { endAttempt, eraseAttempts, markClaimed, readAttemptResult, takeBack } from '../src/db/attempts';
import { enqueueCallback, hasCallbackOf } from '../src/db/callbacks';
import { moveJob, type Job, type Move } from '../src/db/jobs';
import { mirrorJob } from '../src/db/mirror';
import type { OrchestratorDeps } from './deps';

/** Writes what the domain decided. True when a worker became free by it, so that the caller assigns in the same transaction. */
export const applyStep = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  attemptId: string,
  seen: AttemptSeen | null,
  step: NextStep,
): Promise<boolean> => {
  const { limits } = deps;
  const end = async (endReason: string, submission: Job['submission'], errorCode: string | null, isWorkerFree: boolean): Promise<void> => {
    await endAttempt(client, { attemptId, endReason, submission, errorCode, hasLeftWaiter: (seen?.openHumanWaits ?? 0) > 0, isWorkerFree });
  };
  const claim = async (): Promise<void> => await markClaimed(client, { attemptId, claimedAt: seen?.claimedAt ?? null });

  switch (step.act) {
    case 'stay':
      return false;

    case 'run':
      await claim();
      await enterState(deps, client, job, {
        state: 'running',
        reason: job.state === 'waiting_human' ? 'resumed' : 'running',
        deadlineInMs: attemptDeadline(job, job.now, limits).getTime() - job.now.getTime(),
      });
      return false;

    case 'wait_for_human':
      await claim();
      await enterState(deps, client, job, {
        state: 'waiting_human',
        reason: step.humanKind === 'review' ? 'review' : (seen?.interactionType ?? 'blocker'),
        humanKind: step.humanKind,
        deadlineInMs: step.deadlineAt.getTime() - job.now.getTime(),
      });
      return false;

    case 'end_attempt':
      await end(step.endReason, step.submission, null, step.endReason !== 'lost');
      return true;

    case 'take_back':
      if (!(await takeBack(client, attemptId))) return false;
      await end(step.then === 'cancel' ? 'taken_back' : 'not_claimed', 'no', null, false);
      if (step.then === 'cancel')
        await enterState(deps, client, job, { state: 'cancelled', reason: 'cancelled_before_claim', deadlineInMs: null });
      else await waitAgain(deps, client, job, { reason: 'not_claimed', detail: 'The worker did not take it', afterMs: 0, errorCode: null });
      return true;

    case 'retry':
      await claim();
      await end(step.endReason, 'no', step.reason, step.endReason !== 'lost');
      await waitAgain(deps, client, job, {
        reason: 'retry',
        detail: `${step.reason}: ${step.detail}`,
        afterMs: step.afterMs,
        errorCode: step.reason,
      });
      return true;

    case 'end':
      await claim();
      await end(step.endReason, step.submission, step.state === 'failed' ? step.reason : null, step.endReason !== 'lost');
      await enterState(deps, client, job, {
        state: step.state,
        reason: step.reason,
        detail: step.detail,
        submission: step.submission,
        deadlineInMs: null,
        ...(step.state === 'failed' ? { errorCode: step.reason, errorMessage: step.detail } : {}),
      });
      return true;

    case 'ask_a_person':
      await claim();
      if (step.endReason !== null) await end(step.endReason, step.submission, step.reason, step.endReason !== 'lost');
      await enterState(deps, client, job, {
        state: 'uncertain',
        reason: step.reason,
        detail: step.detail,
        submission: step.submission,
        deadlineInMs: limits.uncertainMs,
        errorCode: step.reason,
        errorMessage: step.detail,
      });
      return step.endReason !== null;
  }
};

/** Moves the job, and with it everything that follows from a state: the mirror, the callback, and at the end the personal data of the attempts. */
export const enterState = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  move: Omit<Move, 'jobId' | 'generation' | 'attempt'>,
): Promise<void> => {
  if (!mayMove(job.state, move.state)) throw new Error(`a job cannot go from ${job.state} to ${move.state}`);
  await moveJob(client, {
    ...move,
    jobId: job.jobId,
    generation: job.generation,
    attempt: job.attempt === null ? null : { attemptId: job.attempt.attemptId, workerId: job.attempt.workerId },
  });
  await mirrorJob(client, job.jobId);
  if (job.hasCallbackUrl) await tellProduct(deps, client, job, move);
  if (isTerminal(move.state)) await eraseAttempts(client, job.jobId);
};

const tellProduct = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  move: Omit<Move, 'jobId' | 'generation' | 'attempt'>,
): Promise<void> => {
  const callback = callbackOf[move.state];
  if (callback === null) return;
  // Each `running` resets the task's start in VALET (valet §9.2.8): once a generation, and after a human was waited for.
  if (callback.word === 'running' && job.state !== 'waiting_human' && (await hasCallbackOf(client, { ...job, word: 'running' }))) return;
  const body = makeCallbackBody(callback.word, {
    jobId: job.jobId,
    valetTaskId: job.valetTaskId,
    state: move.state,
    workerId: job.attempt?.workerId ?? null,
    at: job.now,
    errorCode: move.errorCode ?? null,
    errorMessage: move.errorMessage ?? move.detail ?? null,
    humanKind: move.humanKind ?? null,
    humanWaitMs: move.deadlineInMs,
    isRerunByGh: job.isRerunByGh,
    result: job.attempt === null ? null : await readAttemptResult(client, job.attempt.attemptId),
  });
  await enqueueCallback(client, { jobId: job.jobId, generation: job.generation, ...callback, body }, deps.limits);
};

const waitAgain = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  { reason, detail, afterMs, errorCode }: { reason: string; detail: string; afterMs: number; errorCode: string | null },
): Promise<void> => {
  await enterState(deps, client, job, {
    state: 'waiting',
    reason,
    detail,
    deadlineInMs: deps.limits.waitForWorkerMs,
    notBeforeInMs: afterMs === 0 ? null : afterMs,
    errorCode,
  });
};

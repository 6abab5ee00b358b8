import type { PoolClient } from 'pg';
import type { AttemptSnapshot } from '../src/contracts/ghosthands';
import { makeCallbackBody } from '../src/domain/callback-body';
import { callbackOf, isTerminal, mayMove } from '../src/domain/job-state';
import { attemptDeadline, type NextStep } from '../src/domain/next-step';
import { cleanWorkerText } from '../src/domain/worker-text';
import { endAttempt, eraseAttempts, markClaimed, mirrorEvents, noteProof, readAttemptResult, takeBack } from '../src/db/attempts';
import { recordAct } from '../src/db/audit';
import { enqueueCallback } from '../src/db/callbacks';
import { moveJob, touchJob, type Job, type Move } from '../src/db/jobs';
import { mirrorJob } from '../src/db/mirror';
import type { OrchestratorDeps } from './deps';

/** Writes what the domain decided, in statements that travel together. True when a worker became free by it, so that the caller assigns in the same transaction. */
export const applyStep = async (
  deps: OrchestratorDeps,
  client: PoolClient,
  job: Job,
  attemptId: string,
  seen: AttemptSnapshot | null,
  step: NextStep,
): Promise<boolean> => {
  const { limits } = deps;
  const end = async (endReason: string, submission: Job['submission'], errorCode: string | null, isWorkerFree: boolean): Promise<void> => {
    // Its end was written, and counted, before the proof of what it did.
    if (job.attempt?.state === 'ended') return await noteProof(client, { attemptId, submission });
    const claimedAt = job.attempt?.claimedAt ?? seen?.claimedAt ?? null;
    deps.observe({ of: 'attempt', end: endReason, seconds: claimedAt === null ? null : secondsBetween(claimedAt, job.now) });
    await endAttempt(client, { attemptId, endReason, submission, errorCode, hasLeftWaiter: (seen?.openHumanWaits ?? 0) > 0, isWorkerFree });
  };
  const claim = async (): Promise<void> => {
    if (job.attempt?.state === 'assigned') observeClaim(deps, job, seen);
    if (job.attempt?.state === 'assigned' || seen?.isArmed !== false)
      await markClaimed(client, { attemptId, claimedAt: seen?.claimedAt ?? null });
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
      return false;

    case 'run':
      await Promise.all([
        claim(),
        enterState(deps, client, job, {
          state: 'running',
          reason: job.state === 'waiting_human' ? 'resumed' : 'running',
          deadlineInMs: attemptDeadline(job, job.now, limits).getTime() - job.now.getTime(),
        }),
      ]);
      return false;

    case 'wait_for_human':
      await Promise.all([
        claim(),
        enterState(deps, client, job, {
          state: 'waiting_human',
          reason: step.humanKind === 'review' ? 'review' : (seen?.interactionType ?? 'blocker'),
          humanKind: step.humanKind,
          deadlineInMs: step.deadlineAt.getTime() - job.now.getTime(),
          ghWaitsMs: step.ghWaitsUntil.getTime() - job.now.getTime(),
        }),
      ]);
      return false;

    case 'end_attempt':
      await Promise.all([touch(), end(step.endReason, step.submission, null, step.endReason !== 'lost'), mirrorEvents(client, job.jobId)]);
      return true;

    case 'take_back':
      if (!(await takeBack(client, attemptId))) return false;
      await Promise.all([
        end(step.then === 'cancel' ? 'taken_back' : 'not_claimed', 'no', null, false),
        step.then === 'cancel'
          ? enterState(deps, client, job, { state: 'cancelled', reason: 'cancelled_before_claim', deadlineInMs: null })
          : waitAgain(deps, client, job, { reason: 'not_claimed', detail: 'The worker did not take it', afterMs: 0, errorCode: null }),
      ]);
      return true;

    case 'retry':
      await Promise.all([
        claim(),
        end(step.endReason, 'no', step.reason, step.endReason !== 'lost'),
        waitAgain(deps, client, job, {
          reason: 'retry',
          detail: `${step.reason}: ${step.detail}`,
          afterMs: step.afterMs,
          errorCode: step.reason,
        }),
      ]);
      return true;

    case 'end':
      await Promise.all([
        claim(),
        end(step.endReason, step.submission, step.state === 'failed' ? (step.errorCode ?? step.reason) : null, step.endReason !== 'lost'),
        enterState(deps, client, job, {
          state: step.state,
          reason: step.reason,
          detail: step.detail,
          submission: step.submission,
          deadlineInMs: null,
          ...(step.state === 'failed' ? { errorCode: step.errorCode ?? step.reason, errorMessage: step.detail } : {}),
        }),
        step.reason === 'resolved_by_proof' ? recordProof(client, job, step) : undefined,
      ]);
      return true;

    case 'ask_a_person':
      await Promise.all([
        claim(),
        step.endReason === null ? undefined : end(step.endReason, step.submission, step.reason, step.endReason !== 'lost'),
        enterState(deps, client, job, {
          state: 'uncertain',
          reason: step.reason,
          detail: step.detail,
          submission: step.submission,
          deadlineInMs: limits.uncertainMs,
          errorCode: step.reason,
          errorMessage: step.detail,
        }),
      ]);
      return step.endReason !== null;
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
 * Moves the job, and with it everything that follows from a state: the mirror, the callback, and at the end the personal data of the attempts. The
 * statements travel together, in this order.
 */
export const enterState = async (deps: OrchestratorDeps, client: PoolClient, job: Job, move: JobMove): Promise<void> => {
  if (!mayMove(job.state, move.state)) throw new Error(`a job cannot go from ${job.state} to ${move.state}`);
  const kept = withCleanTexts(move);
  deps.observe({ of: 'state', state: move.state });
  await Promise.all([
    moveJob(client, {
      ...kept,
      jobId: job.jobId,
      generation: job.generation,
      isRerunByGh: job.isRerunByGh,
      attempt: job.attempt === null ? null : { attemptId: job.attempt.attemptId, workerId: job.attempt.workerId },
    }),
    mirrorJob(client, job.jobId, deps),
    mirrorEvents(client, job.jobId),
    job.hasCallbackUrl ? notifyProduct(deps, client, job, kept) : undefined,
  ]);
  if (isTerminal(move.state)) await eraseAttempts(client, job.jobId);
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

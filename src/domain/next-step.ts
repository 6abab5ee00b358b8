import type { HumanKind, JobState, JobType, Submission } from '../contracts/job';
import type { Limits } from '../contracts/limits';
import type { Finding } from './attempt-finding';
import { retryAfterMs } from './retry-policy';
import type { CallbackProof } from './submission-evidence';

/**
 * The rules of a job in one place: from what its rows say to what happens next. Pure, so that every branch is a row of a table; the caller
 * (activities/jobs/jobs.ts) reads, asks, and writes the answer in the same transaction.
 */
export interface JobFacts {
  state: JobState;
  jobType: JobType;
  deadlineAt: Date | null;
  jobDeadlineAt: Date;
  timeoutSeconds: number;
  /** Attempts of this generation that a worker really claimed, the present one included. */
  tries: number;
  attemptsMax: number;
  isCancelRequested: boolean;
  humanKind: HumanKind | null;
}

/**
 * What examining the owner gave (src/domain/owner-proof.ts); `none`: nobody looked yet. `idle`: its process is through with the attempt and the
 * row does not say how. `gone_in_silence`: it is gone, and may have lived on after its last write. Both mean that writes were lost (ghosthands §5.6).
 */
export type OwnerProof = 'none' | 'alive' | 'gone' | 'gone_in_silence' | 'idle' | 'unknown';

export type NextStep =
  | { act: 'stay'; isOwnerInDoubt: boolean }
  | { act: 'run' }
  /** `ghWaitsUntil`: nobody goes on after it, whatever is sent to it; we wait a little longer for what GH makes of it. */
  | { act: 'wait_for_human'; humanKind: HumanKind; deadlineAt: Date; ghWaitsUntil: Date }
  | { act: 'take_back'; then: 'wait' | 'cancel' }
  | { act: 'retry'; endReason: AttemptEnd; afterMs: number; reason: string; detail: string }
  | {
      act: 'end';
      state: 'succeeded' | 'failed' | 'cancelled';
      endReason: AttemptEnd;
      submission: Submission;
      reason: string;
      detail: string;
      /** Where the reason is another word. */
      errorCode?: string;
    }
  /** `endReason` null: the attempt may still run, and keeps its worker until it is proven gone. */
  | { act: 'ask_a_person'; endReason: AttemptEnd | null; submission: Submission; reason: string; detail: string }
  /** The job already waits for a person; its attempt is over now and frees its worker. */
  | { act: 'end_attempt'; endReason: AttemptEnd; submission: Submission };

export type AttemptEnd = 'completed' | 'failed' | 'lost' | 'stopped';

export interface Moment {
  now: Date;
  proof: OwnerProof;
  heartbeatAgeMs: number | null;
  /** A cancel found no way to it by its deadline. */
  isUnreachable?: boolean;
  /** What a callback of the attempt proves. */
  callbackProof?: CallbackProof | null;
  /** The attempt has ended, and its job rests uncertain: only a proof that came late is looked for. */
  isOver?: boolean;
  /** Its row may lack what it did last, although it beats. */
  mayHaveLostWrites?: boolean;
}

export const decideNextStep = (job: JobFacts, finding: Finding, moment: Moment, limits: Limits): NextStep => {
  const isSilentEnd = moment.isOver === true && finding.kind !== 'completed' && finding.kind !== 'failed';
  const byRow = isSilentEnd ? askAPerson('lost', 'maybe', 'end_not_written', '') : decide(job, finding, moment, limits);
  const step = byCallback(job, byRow, moment, limits);
  if (step.act === 'end' && (step !== byRow || job.state === 'uncertain')) return resolvedByProof(step, step !== byRow);
  if (job.state !== 'uncertain' || step.act !== 'ask_a_person') return step;
  return step.endReason === null || moment.isOver === true
    ? { act: 'stay', isOwnerInDoubt: false }
    : { act: 'end_attempt', endReason: step.endReason, submission: step.submission };
};

/** Once the process is through with the attempt, and its row leaves open or wrong what it did, the word of that very process counts. */
const byCallback = (job: JobFacts, step: NextStep, { callbackProof }: Moment, limits: Limits): NextStep => {
  if (!callbackProof || !('endReason' in step) || step.endReason === null) return step;
  const { endReason } = step;
  if (callbackProof.submission === 'no')
    return step.act === 'ask_a_person' ? retryOrFail(job, endReason, callbackProof.errorCode, byItsWord, limits) : step;
  if (step.act === 'end' && step.state === 'succeeded') return step;
  return { act: 'end', state: 'succeeded', endReason, submission: 'yes', reason: 'completed', detail: byItsWord };
};
const byItsWord = 'Its worker said so, and could not write it into its row';

/** The reason and the words of an end that its attempt could not write in time. */
const resolvedByProof = (step: Extract<NextStep, { act: 'end' }>, isByCallback: boolean): NextStep => ({
  ...step,
  reason: 'resolved_by_proof',
  detail: `${step.submission === 'yes' ? 'It was submitted' : 'Nothing was submitted'}. ${isByCallback ? byItsWord : 'Its row says so by now'}`,
  ...(step.state === 'failed' ? { errorCode: step.reason } : {}),
});

const decide = (job: JobFacts, finding: Finding, moment: Moment, limits: Limits): NextStep => {
  if (moment.isUnreachable === true && (finding.kind === 'running' || finding.kind === 'human' || finding.kind === 'released')) {
    return askAPerson(null, finding.submission, 'unreachable', 'A cancel found no way to its worker, which may still run it');
  }
  switch (finding.kind) {
    case 'completed':
      return onCompleted(job, finding.submission);
    case 'failed':
      return onFailed(job, finding, limits);
    case 'unclaimed':
      // Once the claim was seen, a row that looks new again was written over, and says nothing of the process that had it.
      return job.state === 'assigned'
        ? onUnclaimed(job, moment)
        : onUnderWay(job, { kind: 'released', submission: 'maybe' }, moment, limits);
    case 'human':
      return onHuman(job, finding, moment, limits);
    case 'running':
    case 'released':
    case 'unreadable':
      return onUnderWay(job, finding, moment, limits);
  }
};

const onCompleted = (job: JobFacts, submission: Submission): NextStep =>
  submission === 'yes' || (job.jobType === 'scrape' && submission === 'no')
    ? { act: 'end', state: 'succeeded', endReason: 'completed', submission, reason: 'completed', detail: 'The worker completed it' }
    : askAPerson('completed', submission, 'completed_without_proof', 'The worker says completed, its result does not say submitted');

const onFailed = (job: JobFacts, failed: Extract<Finding, { kind: 'failed' }>, limits: Limits): NextStep =>
  failed.submission === 'no'
    ? retryOrFail(job, 'failed', failed.errorCode, failed.errorMessage, limits)
    : askAPerson('failed', failed.submission, failed.errorCode, `The attempt failed after the form was open: ${failed.errorMessage}`);

const onUnclaimed = (job: JobFacts, moment: Moment): NextStep => {
  if (job.isCancelRequested) return { act: 'take_back', then: 'cancel' };
  return isPast(job.deadlineAt, moment.now) ? { act: 'take_back', then: 'wait' } : { act: 'stay', isOwnerInDoubt: false };
};

const onHuman = (job: JobFacts, human: Extract<Finding, { kind: 'human' }>, moment: Moment, limits: Limits): NextStep => {
  if (isOver(moment.proof)) {
    return wasStoppedAtBlocker(job, human, moment, limits)
      ? {
          act: 'end',
          state: 'cancelled',
          endReason: 'stopped',
          submission: human.submission,
          reason: 'cancelled_at_blocker',
          detail: atBlocker,
        }
      : onOver(job, human.submission, moment.proof, moment, limits);
  }
  if (job.state === 'uncertain') return { act: 'stay', isOwnerInDoubt: false };
  if (job.state === 'waiting_human' && job.humanKind === human.humanKind) {
    if (!isPast(job.deadlineAt, moment.now)) return suspect(moment, limits);
    return human.humanKind === 'review'
      ? askAPerson(null, 'maybe', 'review_timeout', 'Nobody said in time how the review ended; a person at the page may have submitted')
      : askAPerson(null, human.submission, 'blocker_timeout', 'The worker neither went on nor gave up after the wait for a human');
  }
  const graceMs = graceOfWait(human.humanKind, limits);
  const waitMs = human.humanKind === 'review' ? limits.reviewMs : limits.blockerMs + graceMs;
  const deadlineAt = new Date(Math.min((human.since ?? moment.now).getTime() + waitMs, job.jobDeadlineAt.getTime()));
  // A machine's clock may be ahead.
  const sinceMs = Math.min((human.since ?? moment.now).getTime(), moment.now.getTime());
  const ghWaitsUntil = new Date(Math.min(sinceMs + waitMs - graceMs, job.jobDeadlineAt.getTime()));
  return { act: 'wait_for_human', humanKind: human.humanKind, deadlineAt, ghWaitsUntil };
};

/** So much longer than GH listens do we wait for what it makes of the end of a wait; at a review it listens for ever. */
export const graceOfWait = (humanKind: HumanKind | null, { blockerGraceMs }: Pick<Limits, 'blockerGraceMs'>): number =>
  humanKind === 'review' ? 0 : blockerGraceMs;

const atBlocker = 'Cancelled while it waited for a person: the form may have been sent before, so another try has to be confirmed';

/**
 * It stood still when its process was stopped: whoever goes on sets the row to `running` first, we and GH's API alike (ghosthands §6.2). Not in a silent row,
 * whose process had gone on unseen; and not at a review, where a person may have submitted.
 */
const wasStoppedAtBlocker = (job: JobFacts, human: Extract<Finding, { kind: 'human' }>, moment: Moment, limits: Limits): boolean =>
  job.isCancelRequested &&
  job.state !== 'uncertain' &&
  human.humanKind === 'blocker' &&
  human.submission === 'maybe' &&
  moment.proof === 'gone' &&
  moment.mayHaveLostWrites !== true &&
  !isSilent(moment, limits);

const onUnderWay = (
  job: JobFacts,
  finding: Extract<Finding, { kind: 'running' | 'released' | 'unreadable' }>,
  moment: Moment,
  limits: Limits,
): NextStep => {
  const submission = finding.kind === 'unreadable' ? 'maybe' : finding.submission;
  if (isOver(moment.proof)) return onOver(job, submission, moment.proof, moment, limits);
  if (job.state === 'uncertain') return { act: 'stay', isOwnerInDoubt: false };
  if (job.state !== 'running') return { act: 'run' };
  if (isPast(job.deadlineAt, moment.now)) {
    return askAPerson(null, atLeastMaybe(submission), 'attempt_timeout', 'The attempt ran far beyond its time and did not end');
  }
  if (moment.proof === 'unknown' && (moment.heartbeatAgeMs ?? Infinity) > limits.unprovenMs) {
    return askAPerson(null, atLeastMaybe(submission), 'owner_unproven', 'The worker is silent and can be proven neither dead nor alive');
  }
  return finding.kind === 'running' ? suspect(moment, limits) : { act: 'stay', isOwnerInDoubt: true };
};

/** A silent row is worth an examination, and no verdict: PostgREST may be down while the worker works (ghosthands §5.6). */
const suspect = (moment: Moment, limits: Limits): NextStep => ({
  act: 'stay',
  isOwnerInDoubt: isSilent(moment, limits),
});

const isSilent = ({ heartbeatAgeMs }: Moment, { attemptSilentMs }: Limits): boolean =>
  heartbeatAgeMs === null || heartbeatAgeMs > attemptSilentMs;

type OverProof = Extract<OwnerProof, 'gone' | 'gone_in_silence' | 'idle'>;
const isOver = (proof: OwnerProof): proof is OverProof => proof === 'gone' || proof === 'gone_in_silence' || proof === 'idle';

/** What the row does not say of a process that could not write proves nothing: it had the time for a whole application. */
const onOver = (job: JobFacts, fromRow: Submission, proof: OverProof, moment: Moment, limits: Limits): NextStep => {
  // A process that lives has lost nothing but its words.
  const [reason, what] =
    proof === 'idle'
      ? (['end_not_written', 'Its worker is idle again'] as const)
      : (['worker_lost', 'The process of its worker is gone'] as const);
  if (proof !== 'gone' && job.jobType !== 'scrape') {
    return askAPerson('lost', fromRow, reason, `${what}, and had long been unable to write how it goes`);
  }
  // A row that was silent while its process was being stopped says nothing of what that process did last.
  const submission = job.isCancelRequested && isSilent(moment, limits) && job.jobType !== 'scrape' ? atLeastMaybe(fromRow) : fromRow;
  if (submission === 'no') return retryOrFail(job, 'lost', reason, what, limits);
  return job.isCancelRequested
    ? askAPerson('stopped', submission, 'cancelled_maybe_submitted', 'Cancelled with the form open: it may already be submitted')
    : askAPerson('lost', submission, reason, `${what}, and the form had been open`);
};

const retryOrFail = (job: JobFacts, endReason: AttemptEnd, errorCode: string, message: string, limits: Limits): NextStep => {
  // Nothing was submitted, and somebody wanted it to stop: that is what a cancel is for.
  if (job.isCancelRequested) {
    return {
      act: 'end',
      state: 'cancelled',
      endReason: endReason === 'lost' ? 'stopped' : endReason,
      submission: 'no',
      reason: 'cancelled',
      detail: message,
    };
  }
  const afterMs = retryAfterMs({ errorCode, tries: job.tries, attemptsMax: job.attemptsMax }, limits);
  // Out of `uncertain` only a person opens another attempt: its final callback is already on its way.
  if (afterMs === null || job.state === 'uncertain') {
    return { act: 'end', state: 'failed', endReason, submission: 'no', reason: errorCode, detail: message };
  }
  return { act: 'retry', endReason, afterMs, reason: errorCode, detail: message };
};

const askAPerson = (endReason: AttemptEnd | null, submission: Submission, reason: string, detail: string): NextStep => ({
  act: 'ask_a_person',
  endReason,
  submission: atLeastMaybe(submission),
  reason,
  detail,
});

const atLeastMaybe = (submission: Submission): Submission => (submission === 'no' ? 'maybe' : submission);

const isPast = (deadlineAt: Date | null, now: Date): boolean => deadlineAt !== null && deadlineAt.getTime() <= now.getTime();

/** How long an attempt may run: GH bounds each run of the handler, not the browser's start nor a wait for a human (ghosthands §5.2). */
export const attemptDeadline = (job: JobFacts, now: Date, limits: Limits): Date => {
  const runMs = limits.attemptStartMs + limits.handlerRunsMax * job.timeoutSeconds * 1000;
  return new Date(Math.min(now.getTime() + runMs, job.jobDeadlineAt.getTime()));
};

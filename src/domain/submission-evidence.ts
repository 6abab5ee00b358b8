import type { AttemptSnapshot } from '../contracts/ghosthands';
import type { Submission } from '../contracts/job';

/**
 * Could this attempt have submitted the form? Answers `no` only where it is proven: a wrong `no` applies twice for a person (promise 3).
 * Absent events prove nothing, since GH drops them silently; what counts is the row, and events that are there.
 */
export const judgeSubmission = (seen: AttemptSnapshot): Submission => {
  if (seen.jobType === 'scrape') return 'no';
  if (seen.status === 'completed') return judgeCompleted(seen);
  if (!hadThePage(seen)) return 'no';
  if (seen.resultSubmitted === true) return 'yes';
  return provesThatNoFormWasSent(seen) ? 'no' : 'maybe';
};

/**
 * What a callback of the attempt's own worker proves where its row could not be written (ghosthands §5.6): it is evidence, and worth nothing against the row.
 * Null: nothing. Only for an attempt whose process is through with it, since whoever knows the secret could say it of any.
 */
export const provenByCallback = (seen: AttemptSnapshot): CallbackProof | null => {
  const { callbackEnd } = seen;
  if (callbackEnd === null || (callbackEnd.wentOnMs ?? 0) > lastSignMs) return null;
  if (callbackEnd.status === 'completed') return callbackEnd.submitted === true && !isRefuted(seen) ? { submission: 'yes' } : null;
  // Events and messages that were lost could have told of an earlier run, so only what GH refuses before it has a browser counts.
  const { errorCode } = callbackEnd;
  return errorCode !== null && codesBeforeTheBrowser.has(errorCode) && seen.status !== 'completed' && !showsThePage(seen)
    ? { submission: 'no', errorCode }
    : null;
};

/** A worker's end is its last word but for a beat that was on its way: one after which the attempt went on is refuted by its row. */
const lastSignMs = 15_000;

export type CallbackProof = { submission: 'yes' } | { submission: 'no'; errorCode: string };

/** The row has an end of its own, which says otherwise; not one that others write over a process that works on, nor a wait for a person that outlives its attempt. */
const isRefuted = (seen: AttemptSnapshot): boolean =>
  (seen.status === 'completed' && seen.resultSubmitted === false) ||
  (seen.status === 'failed' && !codesBesideTheRun.has(seen.errorCode ?? ''));
const codesBesideTheRun: ReadonlySet<string> = new Set(['worker_deregistered', 'stuck_job_timeout', 'hitl_timeout']);

/** A code speaks of the run that ended the row. It says nothing of one before a browser crash, nor of a person at a review page. */
const provesThatNoFormWasSent = (seen: AttemptSnapshot): boolean =>
  seen.status === 'failed' &&
  codesBeforeTheForm.has(seen.errorCode ?? '') &&
  !seen.hasReviewEvent &&
  !seen.hasCrashEvent &&
  !crashMessage.test(seen.statusMessage ?? '');

/**
 * Codes that GH sets only where no form was sent: its own refusals, and the page that asks who you are first. Not here: captcha, codes and
 * rate limits, which sites also show at the submit button; a budget that runs out in the middle (the one that is refused up front never had
 * the page); and everything that can break a browser while it submits.
 */
const codesBeforeTheForm: ReadonlySet<string> = new Set(['validation_error', 'login_required', 'mastra_unavailable']);
const codesBeforeTheBrowser: ReadonlySet<string> = new Set(['validation_error', 'mastra_unavailable']);

/** Or may have had it, where that write can be lost. */
const hadThePage = (seen: AttemptSnapshot): boolean => seen.mayHaveLostWrites || showsThePage(seen);

/** The handler has the page from its `Executing … handler` write on; a recorded manual is replayed before that write, and shows in events. */
const showsThePage = (seen: AttemptSnapshot): boolean =>
  seen.hasHandlerEvent ||
  seen.hasCrashEvent ||
  seen.hasReviewEvent ||
  seen.hasResult ||
  handlerMessage.test(seen.statusMessage ?? '') ||
  crashMessage.test(seen.statusMessage ?? '');

const handlerMessage = /^Executing .* handler/;
const crashMessage = /^Recovered from crash/;

const judgeCompleted = (seen: AttemptSnapshot): Submission => {
  if (seen.resultSubmitted === true) return 'yes';
  // `success:false` with an open browser is stored as completed (ghosthands §5.4).
  if (seen.resultSubmitted === false) return 'maybe';
  // GH's recovery at start writes `completed` after any ordinary step, without an owner and without a result (ghosthands §2.5).
  return seen.workerId === null || !seen.hasResult ? 'maybe' : 'yes';
};

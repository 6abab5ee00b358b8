import type { CommandOutcome } from '../contracts/command';
import type { JobState, Submission } from '../contracts/job';

/** What each outcome means: for the job, for HTTP, and in words (design §5.3; one table for everybody). */
export const outcomes: Record<CommandOutcome, { jobEnds: string; httpStatus: number; productStatus: number; words: string }> = {
  cancelled: { jobEnds: 'cancelled', httpStatus: 200, productStatus: 200, words: 'Cancelled; nothing was submitted' },
  cancelled_maybe_submitted: {
    jobEnds: 'uncertain, or cancelled at a blocker',
    httpStatus: 200,
    productStatus: 200,
    words: 'Stopped, but the form may already have been submitted: check before applying again',
  },
  already_finished: { jobEnds: 'unchanged', httpStatus: 409, productStatus: 200, words: 'The job had ended first' },
  unconfirmed: {
    jobEnds: 'stays',
    httpStatus: 202,
    productStatus: 202,
    words: 'Not proven stopped yet; it goes on trying, and the job says so',
  },
  undeliverable: { jobEnds: 'uncertain', httpStatus: 200, productStatus: 200, words: 'There is no way to reach the worker' },
  superseded: { jobEnds: 'unchanged', httpStatus: 409, productStatus: 423, words: 'A cancel has overtaken it' },
  resumed: { jobEnds: 'running', httpStatus: 200, productStatus: 200, words: 'The worker went on' },
  refused: { jobEnds: 'unchanged', httpStatus: 409, productStatus: 423, words: 'Nothing can be resumed here' },
  zombie: {
    jobEnds: 'recovered',
    httpStatus: 200,
    productStatus: 200,
    words: 'The worker took it and stopped; the job is being recovered',
  },
  resolved: { jobEnds: 'as said', httpStatus: 200, productStatus: 200, words: 'The job ends as the person said' },
  reopened: { jobEnds: 'next generation', httpStatus: 200, productStatus: 200, words: 'The next generation is open' },
};

/** What a cancel came to, from the state in which its job rests; null while it is neither ended nor uncertain. */
export const cancelOutcome = (
  state: JobState,
  { wasEndedBefore, isUnreachable, submission = 'no' }: { wasEndedBefore: boolean; isUnreachable: boolean; submission?: Submission },
): CommandOutcome | null => {
  switch (state) {
    case 'cancelled':
      if (wasEndedBefore) return 'already_finished';
      return submission === 'no' ? 'cancelled' : 'cancelled_maybe_submitted';
    case 'uncertain':
      if (isUnreachable) return 'undeliverable';
      return 'cancelled_maybe_submitted';
    case 'succeeded':
    case 'failed':
    case 'expired':
      return 'already_finished';
    case 'accepted':
    case 'waiting':
    case 'assigned':
    case 'running':
    case 'waiting_human':
      return null;
  }
};

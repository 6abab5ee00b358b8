import type { AttemptSnapshot } from '../contracts/ghosthands';
import type { HumanKind, Submission } from '../contracts/job';
import { judgeSubmission } from './submission-evidence';

/** What an attempt row says, in our words. `released`: GH gave the row away while its process may still work on it (ghosthands §2.2, ghosthands §2.5). */
export type Finding =
  | { kind: 'unclaimed' }
  | { kind: 'running'; submission: Submission }
  | { kind: 'human'; humanKind: HumanKind; since: Date | null; submission: Submission }
  | { kind: 'completed'; submission: Submission }
  | { kind: 'failed'; errorCode: string; errorMessage: string; submission: Submission }
  | { kind: 'released'; submission: Submission }
  | { kind: 'unreadable'; problem: string };

export const readFinding = (seen: AttemptSnapshot): Finding => {
  const submission = judgeSubmission(seen);
  switch (seen.status) {
    case 'pending':
      return wasClaimed(seen) ? { kind: 'released', submission } : { kind: 'unclaimed' };
    case 'queued':
      return { kind: 'running', submission };
    case 'running':
      // Main's CHECK refuses the review status: the row stays `running` and only the event tells (ghosthands §5.5).
      return seen.hasReviewEvent ? { kind: 'human', humanKind: 'review', since: null, submission } : { kind: 'running', submission };
    case 'awaiting_review':
      return { kind: 'human', humanKind: 'review', since: seen.pausedAt, submission };
    case 'paused':
      return { kind: 'human', humanKind: 'blocker', since: seen.pausedAt, submission };
    case 'needs_human':
      // Staging's recovery parks a row of a dead worker here (ghosthands §2.5); nobody waits for the human.
      return seen.interactionType === 'stuck_job_timeout'
        ? { kind: 'released', submission }
        : { kind: 'human', humanKind: 'blocker', since: seen.pausedAt, submission };
    case 'completed':
      return isCompletedByOthers(seen) ? { kind: 'released', submission } : { kind: 'completed', submission };
    case 'failed':
      if (isWrittenByOthers(seen.errorCode)) return { kind: 'released', submission };
      return {
        kind: 'failed',
        errorCode: seen.errorCode ?? 'unknown_error',
        errorMessage: seen.errorMessage ?? 'GH gave no reason',
        submission,
      };
    case 'cancelled':
    case 'expired':
      // Marking does not stop GH, it makes it start again (ghosthands §7.1): only its process tells.
      return { kind: 'released', submission };
  }
};

/**
 * Written by somebody else than the process that has the row: a deregistration never contacts it, it finishes and overwrites the row
 * (ghosthands §1.4). Another attempt beside it would apply twice.
 */
export const isWrittenByOthers = (errorCode: string | null): boolean =>
  errorCode === 'worker_deregistered' || errorCode === 'stuck_job_timeout';

/**
 * By GH's recovery at the start of another worker: any step that was done suffices, and the process that has the row may only be silent. It works on, and
 * writes its own end later (ghosthands §2.5).
 */
const isCompletedByOthers = (seen: AttemptSnapshot): boolean => !seen.hasResult && (seen.wasReleased || seen.workerId === null);

export const wasClaimed = (seen: AttemptSnapshot): boolean =>
  seen.workerId !== null || seen.claimedAt !== null || seen.hasStarted || seen.wasReleased || seen.status === 'queued';

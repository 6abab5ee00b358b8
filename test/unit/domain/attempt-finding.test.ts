import { property } from 'fast-check';
import { ghStatuses, type AttemptSnapshot } from '../../../src/contracts/ghosthands';
import { readFinding, type Finding } from '../../../src/domain/attempt-finding';
import { judgeSubmission } from '../../../src/domain/submission-evidence';
import { after, anyAttempt, makeAttempt, makeUnclaimed, findCounterexample } from './facts';

const pausedAt = after(-5_000);

describe('what an attempt row says', () => {
  test.each<[string, AttemptSnapshot, Partial<Finding>]>([
    ['pending as we wrote it', makeUnclaimed(), { kind: 'unclaimed' }],
    ['pending again, with its old owner', makeUnclaimed({ workerId: 'worker-1' }), { kind: 'released', submission: 'no' }],
    ['pending again after a drain', makeUnclaimed({ wasReleased: true }), { kind: 'released' }],
    ['pending again after a recovery, claimed before', makeUnclaimed({ claimedAt: after(-200_000) }), { kind: 'released' }],
    ["pending again by GH's own retry", makeUnclaimed({ hasStarted: true }), { kind: 'released' }],
    [
      'pending again with the form open',
      makeUnclaimed({ hasStarted: true, hasHandlerEvent: true }),
      { kind: 'released', submission: 'maybe' },
    ],
    ['queued', makeAttempt({ status: 'queued', hasStarted: false }), { kind: 'running', submission: 'no' }],
    ['running', makeAttempt(), { kind: 'running', submission: 'no' }],
    ['running with the form open', makeAttempt({ hasHandlerEvent: true }), { kind: 'running', submission: 'maybe' }],
    [
      'running on main, with the event of a review',
      makeAttempt({ hasReviewEvent: true }),
      { kind: 'human', humanKind: 'review', since: null, submission: 'maybe' },
    ],
    ['awaiting_review', makeAttempt({ status: 'awaiting_review', pausedAt }), { kind: 'human', humanKind: 'review', since: pausedAt }],
    ['paused', makeAttempt({ status: 'paused', pausedAt }), { kind: 'human', humanKind: 'blocker', since: pausedAt, submission: 'no' }],
    ['needs_human', makeAttempt({ status: 'needs_human', pausedAt, interactionType: 'captcha' }), { kind: 'human', humanKind: 'blocker' }],
    [
      "needs_human by staging's recovery",
      makeAttempt({ status: 'needs_human', interactionType: 'stuck_job_timeout' }),
      { kind: 'released' },
    ],
    ['completed with its result', makeAttempt({ status: 'completed', hasResult: true }), { kind: 'completed', submission: 'yes' }],
    [
      'completed by a recovery, past its process',
      makeAttempt({ status: 'completed', wasReleased: true }),
      { kind: 'released', submission: 'maybe' },
    ],
    [
      'completed by a recovery that left no word',
      makeAttempt({ status: 'completed', workerId: null }),
      { kind: 'released', submission: 'maybe' },
    ],
    [
      'completed by its own process after a recovery had',
      makeAttempt({ status: 'completed', wasReleased: true, workerId: null, hasResult: true, resultSubmitted: true }),
      { kind: 'completed', submission: 'yes' },
    ],
    [
      'failed',
      makeAttempt({ status: 'failed', errorCode: 'timeout', errorMessage: 'Job execution timeout' }),
      { kind: 'failed', errorCode: 'timeout', errorMessage: 'Job execution timeout', submission: 'no' },
    ],
    [
      'failed without a code',
      makeAttempt({ status: 'failed' }),
      { kind: 'failed', errorCode: 'unknown_error', errorMessage: 'GH gave no reason' },
    ],
    [
      'failed by a deregistration, which no process hears of',
      makeAttempt({ status: 'failed', errorCode: 'worker_deregistered' }),
      { kind: 'released' },
    ],
    ['failed by a recovery', makeAttempt({ status: 'failed', errorCode: 'stuck_job_timeout' }), { kind: 'released' }],
    ['cancelled, which makes GH start again', makeAttempt({ status: 'cancelled' }), { kind: 'released' }],
    ['expired', makeAttempt({ status: 'expired', hasHandlerEvent: true }), { kind: 'released', submission: 'maybe' }],
  ])('%s', (_what, seen, finding) => {
    expect(readFinding(seen)).toMatchObject(finding);
  });

  test.each(ghStatuses)('%s has a finding whatever else the row says', (status) => {
    expect(findCounterexample(property(anyAttempt, (seen) => typeof readFinding({ ...seen, status }).kind === 'string'))).toBeNull();
  });

  test('never calls a row unclaimed that anybody had: nobody may give it to another worker', () => {
    expect(
      findCounterexample(
        property(anyAttempt, (seen) => {
          const isPristine =
            seen.status === 'pending' && seen.workerId === null && seen.claimedAt === null && !seen.hasStarted && !seen.wasReleased;
          return (readFinding(seen).kind === 'unclaimed') === isPristine;
        }),
        { numRuns: 2_000 },
      ),
    ).toBeNull();
  });

  test('says an end only where the row has one', () => {
    expect(
      findCounterexample(
        property(anyAttempt, (seen) => {
          const { kind } = readFinding(seen);
          return !['completed', 'failed'].includes(kind) || kind === seen.status;
        }),
      ),
    ).toBeNull();
  });

  test('passes the evidence on as it is judged', () => {
    expect(
      findCounterexample(
        property(anyAttempt, (seen) => {
          const finding = readFinding(seen);
          return !('submission' in finding) || finding.submission === judgeSubmission(seen);
        }),
      ),
    ).toBeNull();
  });
});

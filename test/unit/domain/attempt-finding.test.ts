import { property } from 'fast-check';
import { ghStatuses, type AttemptSeen } from '../../../src/contracts/ghosthands';
import { readFinding, type Finding } from '../../../src/domain/attempt-finding';
import { judgeSubmission } from '../../../src/domain/submission-evidence';
import { after, anySeen, makeSeen, makeUnclaimed, findCounterexample } from './facts';

const pausedAt = after(-5_000);

describe('what an attempt row says', () => {
  test.each<[string, AttemptSeen, Partial<Finding>]>([
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
    ['queued', makeSeen({ status: 'queued', hasStarted: false }), { kind: 'running', submission: 'no' }],
    ['running', makeSeen(), { kind: 'running', submission: 'no' }],
    ['running with the form open', makeSeen({ hasHandlerEvent: true }), { kind: 'running', submission: 'maybe' }],
    [
      'running on main, with the event of a review',
      makeSeen({ hasReviewEvent: true }),
      { kind: 'human', humanKind: 'review', since: null, submission: 'maybe' },
    ],
    ['awaiting_review', makeSeen({ status: 'awaiting_review', pausedAt }), { kind: 'human', humanKind: 'review', since: pausedAt }],
    ['paused', makeSeen({ status: 'paused', pausedAt }), { kind: 'human', humanKind: 'blocker', since: pausedAt, submission: 'no' }],
    ['needs_human', makeSeen({ status: 'needs_human', pausedAt, interactionType: 'captcha' }), { kind: 'human', humanKind: 'blocker' }],
    ["needs_human by staging's recovery", makeSeen({ status: 'needs_human', interactionType: 'stuck_job_timeout' }), { kind: 'released' }],
    ['completed with its result', makeSeen({ status: 'completed', hasResult: true }), { kind: 'completed', submission: 'yes' }],
    ['completed by a recovery', makeSeen({ status: 'completed', wasReleased: true }), { kind: 'completed', submission: 'maybe' }],
    [
      'failed',
      makeSeen({ status: 'failed', errorCode: 'timeout', errorMessage: 'Job execution timeout' }),
      { kind: 'failed', errorCode: 'timeout', errorMessage: 'Job execution timeout', submission: 'no' },
    ],
    [
      'failed without a code',
      makeSeen({ status: 'failed' }),
      { kind: 'failed', errorCode: 'unknown_error', errorMessage: 'GH gave no reason' },
    ],
    [
      'failed by a deregistration, which no process hears of',
      makeSeen({ status: 'failed', errorCode: 'worker_deregistered' }),
      { kind: 'released' },
    ],
    ['cancelled, which makes GH start again', makeSeen({ status: 'cancelled' }), { kind: 'released' }],
    ['expired', makeSeen({ status: 'expired', hasHandlerEvent: true }), { kind: 'released', submission: 'maybe' }],
  ])('%s', (_what, seen, finding) => {
    expect(readFinding(seen)).toMatchObject(finding);
  });

  test.each(ghStatuses)('%s has a finding whatever else the row says', (status) => {
    expect(findCounterexample(property(anySeen, (seen) => typeof readFinding({ ...seen, status }).kind === 'string'))).toBeNull();
  });

  test('never calls a row unclaimed that anybody had: nobody may give it to another worker', () => {
    expect(
      findCounterexample(
        property(anySeen, (seen) => {
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
        property(anySeen, (seen) => {
          const { kind } = readFinding(seen);
          return !['completed', 'failed'].includes(kind) || kind === seen.status;
        }),
      ),
    ).toBeNull();
  });

  test('passes the evidence on as it is judged', () => {
    expect(
      findCounterexample(
        property(anySeen, (seen) => {
          const finding = readFinding(seen);
          return !('submission' in finding) || finding.submission === judgeSubmission(seen);
        }),
      ),
    ).toBeNull();
  });
});

import { constantFrom, property } from 'fast-check';
import type { AttemptSnapshot } from '../../../src/contracts/ghosthands';
import type { Submission } from '../../../src/contracts/job';
import { judgeSubmission, provenByCallback } from '../../../src/domain/submission-evidence';
import { anyAttempt, anyTraceOfTheHandler, errorCodes, makeAttempt, makeUnclaimed, findCounterexample } from './facts';

const executing = 'Executing apply handler (Magnitude mode)';
/** The codes that prove that no form was sent, as long as the handler had the page once (ghosthands §5.4). */
const exempt = ['validation_error', 'login_required', 'mastra_unavailable'];

describe('could an attempt have submitted the form', () => {
  test.each<[string, AttemptSnapshot, Submission]>([
    ['a row that nobody claimed', makeUnclaimed(), 'no'],
    ['a claim and nothing more', makeAttempt({ status: 'queued', statusMessage: null, hasStarted: false }), 'no'],
    ['a browser that starts', makeAttempt(), 'no'],
    ['a start that failed', makeAttempt({ status: 'failed', errorCode: 'network_error' }), 'no'],
    ['a budget refused up front', makeAttempt({ status: 'failed', errorCode: 'budget_exceeded' }), 'no'],
    ['a blocker on the first page', makeAttempt({ status: 'paused', statusMessage: 'Waiting for a human: login' }), 'no'],
    ['a browser that started before Postgres did', makeAttempt({ mayHaveLostWrites: true }), 'maybe'],
    [
      'an input refused after a restart of Postgres',
      makeAttempt({ mayHaveLostWrites: true, status: 'failed', errorCode: 'validation_error' }),
      'no',
    ],
    ['a handler that has the page', makeAttempt({ statusMessage: executing }), 'maybe'],
    ['a handler with another name', makeAttempt({ statusMessage: 'Executing smart_apply handler' }), 'maybe'],
    ['a recorded manual that is replayed before the handler', makeAttempt({ hasHandlerEvent: true }), 'maybe'],
    ['a handler that failed', makeAttempt({ status: 'failed', statusMessage: executing, errorCode: 'timeout' }), 'maybe'],
    ['a captcha in the form', makeAttempt({ status: 'failed', hasHandlerEvent: true, errorCode: 'captcha_blocked' }), 'maybe'],
    ['a budget that ran out in the form', makeAttempt({ status: 'failed', hasHandlerEvent: true, errorCode: 'budget_exceeded' }), 'maybe'],
    ['a code that we do not know', makeAttempt({ status: 'failed', hasHandlerEvent: true, errorCode: 'new_code' }), 'maybe'],
    ['no code at all', makeAttempt({ status: 'failed', hasHandlerEvent: true }), 'maybe'],
    ['a login page instead of the form', makeAttempt({ status: 'failed', statusMessage: executing, errorCode: 'login_required' }), 'no'],
    ['a handler that refused its input', makeAttempt({ status: 'failed', hasHandlerEvent: true, errorCode: 'validation_error' }), 'no'],
    [
      'a login page in the second run, after a browser crash in the first',
      makeAttempt({ status: 'failed', hasHandlerEvent: true, hasCrashEvent: true, errorCode: 'login_required' }),
      'maybe',
    ],
    [
      'a login page after a crash whose event was lost',
      makeAttempt({ status: 'failed', statusMessage: 'Recovered from crash, retrying handler', errorCode: 'login_required' }),
      'maybe',
    ],
    ['a review page', makeAttempt({ status: 'awaiting_review', hasReviewEvent: true }), 'maybe'],
    [
      'a review page that timed out at a login',
      makeAttempt({ status: 'failed', hasReviewEvent: true, errorCode: 'login_required' }),
      'maybe',
    ],
    ['a result that says submitted, then a failure', makeAttempt({ status: 'failed', hasResult: true, resultSubmitted: true }), 'yes'],
    [
      'a browser crash with a later failure',
      makeAttempt({ status: 'failed', hasHandlerEvent: true, hasCrashEvent: true, errorCode: 'timeout' }),
      'maybe',
    ],
    ['completed and submitted', makeAttempt({ status: 'completed', hasResult: true, resultSubmitted: true }), 'yes'],
    ['completed with an open browser', makeAttempt({ status: 'completed', hasResult: true, resultSubmitted: false }), 'maybe'],
    ['completed with a result that says nothing about it', makeAttempt({ status: 'completed', hasResult: true }), 'yes'],
    ['completed by a recovery, without an owner', makeAttempt({ status: 'completed', workerId: null, hasResult: true }), 'maybe'],
    ['completed without a result', makeAttempt({ status: 'completed' }), 'maybe'],
    ['a scrape that completed', makeAttempt({ jobType: 'scrape', status: 'completed', hasResult: true }), 'no'],
    [
      'a scrape that failed in its handler',
      makeAttempt({ jobType: 'scrape', status: 'failed', hasHandlerEvent: true, errorCode: 'timeout' }),
      'no',
    ],
    ['a row that was cancelled while the handler had the page', makeAttempt({ status: 'cancelled', statusMessage: executing }), 'maybe'],
    [
      'a drained row whose handler goes on',
      makeAttempt({ status: 'pending', workerId: null, wasReleased: true, hasHandlerEvent: true }),
      'maybe',
    ],
  ])('%s', (_what, seen, submission) => {
    expect(judgeSubmission(seen)).toBe(submission);
  });

  test('P3: any trace of the handler forbids a no, except for the codes that prove it', () => {
    expect(
      findCounterexample(
        property(anyAttempt, anyTraceOfTheHandler, (seen, trace) => {
          const judged = judgeSubmission({ ...seen, jobType: 'apply', ...trace });
          return judged !== 'no' || (seen.status === 'failed' && exempt.includes(seen.errorCode ?? ''));
        }),
        { numRuns: 3_000 },
      ),
    ).toBeNull();
  });

  test('P3: no code proves anything about the run before a browser crash', () => {
    expect(
      findCounterexample(
        property(anyAttempt, constantFrom(...errorCodes), (seen, errorCode) => {
          return (
            judgeSubmission({ ...seen, jobType: 'apply', status: 'failed', errorCode, hasCrashEvent: true, hasHandlerEvent: true }) !== 'no'
          );
        }),
      ),
    ).toBeNull();
  });

  test('a completed row without an owner or without a result is never a yes, unless the result says submitted', () => {
    expect(
      findCounterexample(
        property(anyAttempt, constantFrom<Partial<AttemptSnapshot>>({ workerId: null }, { hasResult: false }), (seen, missing) => {
          const row = { ...seen, jobType: 'apply', status: 'completed' as const, ...missing };
          return judgeSubmission(row) !== 'yes' || row.resultSubmitted === true;
        }),
      ),
    ).toBeNull();
  });

  test('a result that says not submitted is never a yes', () => {
    expect(findCounterexample(property(anyAttempt, (seen) => judgeSubmission({ ...seen, resultSubmitted: false }) !== 'yes'))).toBeNull();
  });

  test('a row that was completed is never a no: somebody believed that it was done', () => {
    expect(
      findCounterexample(property(anyAttempt, (seen) => judgeSubmission({ ...seen, jobType: 'apply', status: 'completed' }) !== 'no')),
    ).toBeNull();
  });

  test('events and messages that vanish never turn a maybe of the row itself into a yes', () => {
    expect(
      findCounterexample(
        property(anyAttempt, (seen) => {
          const withoutTraces = { ...seen, hasHandlerEvent: false, hasCrashEvent: false, hasReviewEvent: false, statusMessage: null };
          return judgeSubmission(seen) === 'yes' || judgeSubmission(withoutTraces) !== 'yes';
        }),
      ),
    ).toBeNull();
  });
});

describe('what a callback of its own worker proves of an attempt', () => {
  const submitted = { status: 'completed', submitted: true, errorCode: null, wentOnMs: null } as const;
  const refused = { status: 'failed', submitted: null, errorCode: 'validation_error', wentOnMs: null } as const;
  const yes = { submission: 'yes' };
  test.each<[string, AttemptSnapshot, object | null]>([
    ['nothing, when none came', makeAttempt({ hasHandlerEvent: true }), null],
    ['that it was submitted, of a row that stood still', makeAttempt({ callbackEnd: submitted }), yes],
    [
      'that it was submitted, of a row that others completed',
      makeAttempt({ status: 'completed', workerId: null, callbackEnd: submitted }),
      yes,
    ],
    [
      'that it was submitted, of a row that a wait failed later',
      makeAttempt({ status: 'failed', errorCode: 'hitl_timeout', callbackEnd: submitted }),
      yes,
    ],
    [
      'that it was submitted, of a row that was deregistered',
      makeAttempt({ status: 'failed', errorCode: 'worker_deregistered', callbackEnd: submitted }),
      yes,
    ],
    [
      'nothing against a row that says the contrary',
      makeAttempt({ status: 'completed', hasResult: true, resultSubmitted: false, callbackEnd: submitted }),
      null,
    ],
    ['nothing against a row whose attempt failed', makeAttempt({ status: 'failed', errorCode: 'timeout', callbackEnd: submitted }), null],
    ['that it was submitted, before a last beat', makeAttempt({ callbackEnd: { ...submitted, wentOnMs: 14_000 } }), yes],
    ['nothing, when the attempt went on for long', makeAttempt({ callbackEnd: { ...submitted, wentOnMs: 16_000 } }), null],
    ['nothing of a refusal after which it went on', makeAttempt({ callbackEnd: { ...refused, wentOnMs: 16_000 } }), null],
    ['nothing, when it does not say submitted', makeAttempt({ callbackEnd: { ...submitted, submitted: false } }), null],
    ['nothing, when its result says nothing', makeAttempt({ callbackEnd: { ...submitted, submitted: null } }), null],
    [
      'that no form was sent, of an input that was refused',
      makeAttempt({ callbackEnd: refused }),
      { submission: 'no', errorCode: 'validation_error' },
    ],
    [
      'nothing of a login, which an earlier run may have passed unseen',
      makeAttempt({ callbackEnd: { ...refused, errorCode: 'login_required' } }),
      null,
    ],
    ['nothing of a failure like any other', makeAttempt({ callbackEnd: { ...refused, errorCode: 'timeout' } }), null],
    ['nothing of a failure without a code', makeAttempt({ callbackEnd: { ...refused, errorCode: null } }), null],
  ])('%s', (_what, seen, proof) => {
    expect(provenByCallback(seen)).toEqual(proof);
  });

  test('P3: never a no of an attempt that shows any trace of the handler', () => {
    expect(
      findCounterexample(
        property(anyAttempt, anyTraceOfTheHandler, (seen, trace) => {
          return 'mayHaveLostWrites' in trace || provenByCallback({ ...seen, ...trace })?.submission !== 'no';
        }),
        { numRuns: 5_000 },
      ),
    ).toBeNull();
  });
});

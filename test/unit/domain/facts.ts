import {
  boolean,
  check,
  constantFrom,
  integer,
  oneof,
  option,
  record,
  constant,
  type Arbitrary,
  type IProperty,
  type Parameters,
} from 'fast-check';
import { ghStatuses, type AttemptSnapshot } from '../../../src/contracts/ghosthands';
import { humanKinds, jobStates, jobTypes, submissions } from '../../../src/contracts/job';
import type { Finding } from '../../../src/domain/attempt-finding';
import type { JobFacts, Moment, OwnerProof } from '../../../src/domain/next-step';
import type { PortAnswer } from '../../../src/domain/process-liveness';
import type { CallbackProof } from '../../../src/domain/submission-evidence';

/** What the rules are asked about, each with one difference to an ordinary case; and arbitrary ones for the properties. */

export const now = new Date('2026-03-01T12:00:00Z');
export const after = (ms: number): Date => new Date(now.getTime() + ms);
export const hourMs = 3_600_000;

type Answering = Extract<PortAnswer, { kind: 'answers' }>;

/** What the port of a process said that had started an hour before and works on one job. */
export const answeringAt = (atMs: number, more: Partial<Answering> = {}): Answering => ({
  kind: 'answers',
  atMs,
  workerId: 'worker-1',
  activeJobs: 1,
  startedAfterMs: atMs - hourMs,
  startedBeforeMs: atMs - hourMs,
  ...more,
});

/** A claimed row whose browser starts: the handler has not had the page. */
export const makeAttempt = (more: Partial<AttemptSnapshot> = {}): AttemptSnapshot => ({
  status: 'running',
  statusMessage: 'Starting browser agent',
  jobType: 'apply',
  workerId: 'worker-1',
  isArmed: false,
  hasStarted: true,
  claimedAt: after(-60_000),
  heartbeatAgeMs: 4_000,
  pausedAt: null,
  interactionType: null,
  errorCode: null,
  errorMessage: null,
  wasReleased: false,
  hasResult: false,
  resultSubmitted: null,
  mayHaveLostWrites: false,
  hasHandlerEvent: false,
  hasCrashEvent: false,
  hasReviewEvent: false,
  openHumanWaits: 0,
  callbackEnd: null,
  ...more,
});

/** An attempt row as we inserted it. */
export const makeUnclaimed = (more: Partial<AttemptSnapshot> = {}): AttemptSnapshot =>
  makeAttempt({
    status: 'pending',
    statusMessage: null,
    workerId: null,
    isArmed: true,
    hasStarted: false,
    claimedAt: null,
    heartbeatAgeMs: null,
    ...more,
  });

export const makeJob = (more: Partial<JobFacts> = {}): JobFacts => ({
  state: 'running',
  jobType: 'apply',
  deadlineAt: after(hourMs),
  jobDeadlineAt: after(30 * hourMs),
  timeoutSeconds: 300,
  tries: 1,
  attemptsMax: 3,
  isCancelRequested: false,
  humanKind: null,
  ...more,
});

export const makeMoment = (more: Partial<Moment> = {}): Moment => ({ now, proof: 'none', heartbeatAgeMs: 4_000, ...more });

const statusMessages = [
  null,
  '',
  'Starting browser agent',
  'Executing apply handler (Magnitude mode)',
  'Executing smart_apply handler',
  'Recovered from crash, retrying handler',
  'Waiting for a human: captcha',
] as const;

export const errorCodes = [
  'validation_error',
  'budget_exceeded',
  'action_limit_exceeded',
  'login_required',
  '2fa_required',
  'captcha_blocked',
  'timeout',
  'network_error',
  'browser_crashed',
  'internal_error',
  'hitl_timeout',
  'worker_deregistered',
  'stuck_job_timeout',
  'mastra_unavailable',
  'a_code_of_next_year',
] as const;

export const anyAttempt: Arbitrary<AttemptSnapshot> = record({
  status: constantFrom(...ghStatuses),
  statusMessage: constantFrom(...statusMessages),
  jobType: constantFrom(...jobTypes),
  workerId: constantFrom(null, 'worker-1', ''),
  isArmed: boolean(),
  hasStarted: boolean(),
  claimedAt: constantFrom(null, after(-60_000)),
  heartbeatAgeMs: constantFrom(null, 0, 4_000, 40_000, 4_000_000),
  pausedAt: constantFrom(null, after(-10_000), after(-40 * hourMs)),
  interactionType: constantFrom(null, 'captcha', 'stuck_job_timeout'),
  errorCode: constantFrom(null, ...errorCodes),
  errorMessage: constantFrom(null, 'Job execution timeout'),
  wasReleased: boolean(),
  hasResult: boolean(),
  resultSubmitted: constantFrom(null, true, false),
  mayHaveLostWrites: boolean(),
  hasHandlerEvent: boolean(),
  hasCrashEvent: boolean(),
  hasReviewEvent: boolean(),
  openHumanWaits: integer({ min: 0, max: 3 }),
  callbackEnd: option(
    record({
      status: constantFrom('completed' as const, 'failed' as const),
      submitted: constantFrom(null, true, false),
      errorCode: constantFrom(null, ...errorCodes),
      wentOnMs: constantFrom(null, -5_000, 60_000),
    }),
    { nil: null },
  ),
});

const submission = constantFrom(...submissions);

export const anyFinding: Arbitrary<Finding> = oneof(
  constant({ kind: 'unclaimed' as const }),
  record({ kind: constant('running' as const), submission }),
  record({
    kind: constant('human' as const),
    humanKind: constantFrom(...humanKinds),
    since: constantFrom(null, after(-10_000), after(-40 * hourMs)),
    submission,
  }),
  record({ kind: constant('completed' as const), submission }),
  record({ kind: constant('failed' as const), errorCode: constantFrom(...errorCodes), errorMessage: constant('why'), submission }),
  record({ kind: constant('released' as const), submission }),
  record({ kind: constant('unreadable' as const), problem: constant('status: invalid') }),
);

/** Relative to `now`: long past, just past, to come. */
const moment = constantFrom(after(-hourMs), after(-1), after(1), after(hourMs));

/** A job whose attempt is alive, in every state that such a job can have. */
export const anyJobWithAttempt: Arbitrary<JobFacts> = record({
  state: constantFrom(...jobStates.filter((state) => ['assigned', 'running', 'waiting_human', 'uncertain'].includes(state))),
  jobType: constantFrom(...jobTypes),
  deadlineAt: option(moment, { nil: null }),
  jobDeadlineAt: moment,
  timeoutSeconds: integer({ min: 30, max: 3_600 }),
  tries: integer({ min: 0, max: 11 }),
  attemptsMax: integer({ min: 1, max: 10 }),
  isCancelRequested: boolean(),
  humanKind: constantFrom(null, ...humanKinds),
});

export const ownerProofs = ['none', 'alive', 'gone', 'gone_in_silence', 'idle', 'unknown'] as const satisfies readonly OwnerProof[];

export const anyMoment: Arbitrary<Moment> = record({
  now: constant(now),
  proof: constantFrom(...ownerProofs),
  heartbeatAgeMs: constantFrom(null, 0, 4_000, 31_000, 400_000),
  isUnreachable: boolean(),
  callbackProof: constantFrom<CallbackProof | null>(null, { submission: 'yes' }, { submission: 'no', errorCode: 'validation_error' }),
  mayHaveLostWrites: boolean(),
});

/** Something by which the handler, or a recorded manual before it, had the page, or may have had it unseen. */
export const anyTraceOfTheHandler: Arbitrary<Partial<AttemptSnapshot>> = constantFrom<Partial<AttemptSnapshot>>(
  { hasHandlerEvent: true },
  { mayHaveLostWrites: true },
  { hasReviewEvent: true },
  { hasResult: true },
  { statusMessage: 'Executing apply handler (Magnitude mode)' },
  { statusMessage: 'Executing smart_apply handler' },
  { statusMessage: 'Recovered from crash, retrying handler' },
  { hasCrashEvent: true },
);

/** Null when the rule holds for all that fast-check tried; else what breaks it, and how to try that again. */
export const findCounterexample = <Values>(rule: IProperty<Values>, options: Parameters<Values> = {}): object | null => {
  const { failed, counterexample, seed, counterexamplePath, errorInstance } = check(rule, options);
  return failed ? { counterexample, seed, path: counterexamplePath, error: errorInstance } : null;
};

import { jobStates } from '../../../src/contracts/job';
import { limits } from '../../../src/contracts/limits';
import type { Finding } from '../../../src/domain/attempt-finding';
import { attemptDeadline, decideNextStep, type JobFacts, type Moment, type NextStep } from '../../../src/domain/next-step';
import { after, hourMs, makeJob, makeMoment, now } from './facts';

type Row = [what: string, job: Partial<JobFacts>, finding: Finding, moment: Partial<Moment>, step: Partial<NextStep>];

const past = after(-1);
const running: Finding = { kind: 'running', submission: 'no' };
const inForm: Finding = { kind: 'running', submission: 'maybe' };
const released: Finding = { kind: 'released', submission: 'no' };
const unclaimed: Finding = { kind: 'unclaimed' };
const unreadable: Finding = { kind: 'unreadable', problem: 'status: invalid' };
const blocker: Finding = { kind: 'human', humanKind: 'blocker', since: after(-10_000), submission: 'no' };
const review: Finding = { kind: 'human', humanKind: 'review', since: after(-10_000), submission: 'maybe' };
const completed = (submission: 'no' | 'maybe' | 'yes'): Finding => ({ kind: 'completed', submission });
const failed = (submission: 'no' | 'maybe' | 'yes', errorCode = 'network_error'): Finding => ({
  kind: 'failed',
  errorCode,
  errorMessage: 'why',
  submission,
});
const waitsForBlocker: Partial<JobFacts> = { state: 'waiting_human', humanKind: 'blocker' };
const waitsForReview: Partial<JobFacts> = { state: 'waiting_human', humanKind: 'review' };

const decideFor = ([, job, finding, moment]: Row): NextStep => decideNextStep(makeJob(job), finding, makeMoment(moment), limits);

describe('an assigned job', () => {
  test.each<Row>([
    ['waits for the claim', { state: 'assigned' }, unclaimed, {}, { act: 'stay', isOwnerInDoubt: false }],
    [
      'takes the row back when nobody claimed it in time',
      { state: 'assigned', deadlineAt: past },
      unclaimed,
      {},
      { act: 'take_back', then: 'wait' },
    ],
    [
      'takes the row back at once on a cancel',
      { state: 'assigned', isCancelRequested: true },
      unclaimed,
      {},
      { act: 'take_back', then: 'cancel' },
    ],
    ['runs once its row is claimed', { state: 'assigned' }, running, {}, { act: 'run' }],
    ['runs though the claim came late', { state: 'assigned', deadlineAt: past }, running, {}, { act: 'run' }],
    ['runs with a row that was given away since', { state: 'assigned' }, released, {}, { act: 'run' }],
    ['waits for a human when the blocker came first', { state: 'assigned' }, blocker, {}, { act: 'wait_for_human', humanKind: 'blocker' }],
    ['succeeds when we hear of nothing but the end', { state: 'assigned' }, completed('yes'), {}, { act: 'end', state: 'succeeded' }],
    ['is tried again when it failed before we heard of it', { state: 'assigned' }, failed('no'), {}, { act: 'retry', endReason: 'failed' }],
    ['asks a person when its row was completed by a recovery', { state: 'assigned' }, completed('maybe'), {}, { act: 'ask_a_person' }],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('a running job', () => {
  test.each<Row>([
    ['goes on', {}, running, {}, { act: 'stay', isOwnerInDoubt: false }],
    ['goes on with the form open', {}, inForm, {}, { act: 'stay', isOwnerInDoubt: false }],
    ['doubts its owner when the row is silent', {}, running, { heartbeatAgeMs: 30_001 }, { act: 'stay', isOwnerInDoubt: true }],
    ['doubts its owner when nobody ever beat', {}, running, { heartbeatAgeMs: null }, { act: 'stay', isOwnerInDoubt: true }],
    ['goes on at the last beat that is no doubt', {}, running, { heartbeatAgeMs: 30_000 }, { act: 'stay', isOwnerInDoubt: false }],
    ['doubts its owner when the row was given away', {}, released, {}, { act: 'stay', isOwnerInDoubt: true }],
    ['doubts its owner when the row breaks our expectations', {}, unreadable, {}, { act: 'stay', isOwnerInDoubt: true }],
    ['doubts its owner when the row looks new again', { deadlineAt: after(1) }, unclaimed, {}, { act: 'stay', isOwnerInDoubt: true }],
    [
      'asks a person in time when the row looks new again',
      { deadlineAt: past },
      unclaimed,
      {},
      { act: 'ask_a_person', reason: 'attempt_timeout' },
    ],
    ['goes on while the owner is proven alive', {}, released, { proof: 'alive', heartbeatAgeMs: 900_000 }, { act: 'stay' }],
    [
      'is tried again when the owner is gone before the form',
      {},
      running,
      { proof: 'gone' },
      { act: 'retry', endReason: 'lost', reason: 'worker_lost' },
    ],
    [
      'asks a person when the owner is gone with the form open',
      {},
      inForm,
      { proof: 'gone' },
      { act: 'ask_a_person', endReason: 'lost', submission: 'maybe' },
    ],
    [
      'asks a person when the owner is gone and the row unreadable',
      {},
      unreadable,
      { proof: 'gone' },
      { act: 'ask_a_person', endReason: 'lost', submission: 'maybe' },
    ],
    [
      'asks a person when the owner went idle and the row does not say how it ended',
      {},
      running,
      { proof: 'idle' },
      { act: 'ask_a_person', endReason: 'lost', submission: 'maybe' },
    ],
    [
      'is tried again as a scrape when the owner went idle',
      { jobType: 'scrape' },
      running,
      { proof: 'idle' },
      { act: 'retry', endReason: 'lost' },
    ],
    [
      'asks a person when the owner stays unknown',
      {},
      running,
      { proof: 'unknown', heartbeatAgeMs: 300_001 },
      { act: 'ask_a_person', endReason: null, reason: 'owner_unproven', submission: 'maybe' },
    ],
    [
      'waits while the owner is unknown for a short time',
      {},
      running,
      { proof: 'unknown', heartbeatAgeMs: 300_000 },
      { act: 'stay', isOwnerInDoubt: true },
    ],
    [
      'asks a person when it runs far beyond its time',
      { deadlineAt: past },
      running,
      {},
      { act: 'ask_a_person', endReason: null, reason: 'attempt_timeout', submission: 'maybe' },
    ],
    [
      'waits for a human at a blocker',
      {},
      blocker,
      {},
      { act: 'wait_for_human', humanKind: 'blocker', deadlineAt: after(-10_000 + 320_000) },
    ],
    [
      'waits for a human at a review',
      {},
      review,
      {},
      { act: 'wait_for_human', humanKind: 'review', deadlineAt: after(-10_000 + 24 * hourMs) },
    ],
    ['succeeds', {}, completed('yes'), {}, { act: 'end', state: 'succeeded', endReason: 'completed', submission: 'yes' }],
    ['succeeds though a cancel was wished too late', { isCancelRequested: true }, completed('yes'), {}, { act: 'end', state: 'succeeded' }],
    [
      'asks a person when completed does not say submitted',
      {},
      completed('maybe'),
      {},
      { act: 'ask_a_person', endReason: 'completed', submission: 'maybe' },
    ],
    [
      'asks a person when an application was completed and not submitted',
      {},
      completed('no'),
      {},
      { act: 'ask_a_person', submission: 'maybe' },
    ],
    [
      'succeeds as a scrape, which submits nothing',
      { jobType: 'scrape' },
      completed('no'),
      {},
      { act: 'end', state: 'succeeded', submission: 'no' },
    ],
    [
      'is tried again after a failure before the form',
      {},
      failed('no'),
      {},
      { act: 'retry', endReason: 'failed', afterMs: 5_000, reason: 'network_error' },
    ],
    [
      'fails when no try is left',
      { tries: 3 },
      failed('no'),
      {},
      { act: 'end', state: 'failed', reason: 'network_error', submission: 'no' },
    ],
    ['fails when no try can help', {}, failed('no', 'validation_error'), {}, { act: 'end', state: 'failed', reason: 'validation_error' }],
    ['is not tried again after a wish to cancel', { isCancelRequested: true }, failed('no'), {}, { act: 'end', state: 'cancelled' }],
    [
      'asks a person after a failure with the form open',
      {},
      failed('maybe', 'timeout'),
      {},
      { act: 'ask_a_person', endReason: 'failed', reason: 'timeout', submission: 'maybe' },
    ],
    [
      'asks a person after a failure behind the submit button',
      {},
      failed('yes'),
      {},
      { act: 'ask_a_person', endReason: 'failed', submission: 'yes' },
    ],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('a job whose owner is gone, and was silent before', () => {
  const asked = { act: 'ask_a_person', endReason: 'lost', reason: 'worker_lost', submission: 'maybe' } as const;
  test.each<Row>([
    ['asks a person, whatever the row does not say', {}, running, { proof: 'gone_in_silence' }, asked],
    ['asks a person at a blocker', waitsForBlocker, blocker, { proof: 'gone_in_silence' }, asked],
    ['is tried again as a scrape', { jobType: 'scrape' }, running, { proof: 'gone_in_silence' }, { act: 'retry', endReason: 'lost' }],
    ['ends as its row says', {}, failed('no'), { proof: 'gone_in_silence' }, { act: 'retry', endReason: 'failed' }],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('a job that waits for a human', () => {
  test.each<Row>([
    ['goes on waiting', waitsForBlocker, blocker, {}, { act: 'stay', isOwnerInDoubt: false }],
    [
      'doubts its owner when the row is silent meanwhile',
      waitsForBlocker,
      blocker,
      { heartbeatAgeMs: 31_000 },
      { act: 'stay', isOwnerInDoubt: true },
    ],
    [
      'asks a person when a blocker outlasts its wait',
      { ...waitsForBlocker, deadlineAt: past },
      blocker,
      {},
      { act: 'ask_a_person', endReason: null, reason: 'blocker_timeout', submission: 'maybe' },
    ],
    [
      'asks a person when nobody resolves a review',
      { ...waitsForReview, deadlineAt: past },
      review,
      {},
      { act: 'ask_a_person', endReason: null, reason: 'review_timeout', submission: 'maybe' },
    ],
    ['runs again once the worker goes on', waitsForBlocker, running, {}, { act: 'run' }],
    ['waits anew when a blocker leads to a review', waitsForBlocker, review, {}, { act: 'wait_for_human', humanKind: 'review' }],
    [
      'is tried again when the owner is gone before the form',
      waitsForBlocker,
      blocker,
      { proof: 'gone' },
      { act: 'retry', endReason: 'lost' },
    ],
    [
      'asks a person when the owner is gone at a review',
      waitsForReview,
      review,
      { proof: 'gone' },
      { act: 'ask_a_person', endReason: 'lost', submission: 'maybe' },
    ],
    [
      'asks a person when the owner went idle during the wait',
      waitsForBlocker,
      blocker,
      { proof: 'idle' },
      { act: 'ask_a_person', endReason: 'lost', submission: 'maybe' },
    ],
    [
      'fails when GH gave up before the form',
      waitsForBlocker,
      failed('no', 'hitl_timeout'),
      {},
      { act: 'end', state: 'failed', reason: 'hitl_timeout' },
    ],
    [
      'asks a person when GH gave up in the form',
      waitsForBlocker,
      failed('maybe', 'hitl_timeout'),
      {},
      { act: 'ask_a_person', endReason: 'failed' },
    ],
    ['succeeds when the worker submitted after all', waitsForReview, completed('yes'), {}, { act: 'end', state: 'succeeded' }],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });

  test('waits at a blocker no longer than GH itself and its grace, whatever the row says of the beginning', () => {
    const step = decideNextStep(makeJob(), { ...blocker, since: null }, makeMoment(), limits);
    expect(step).toMatchObject({ deadlineAt: after(limits.blockerMs + limits.blockerGraceMs) });
  });

  test.each([
    ['that has waited for 10 s', after(-10_000), after(limits.blockerMs - 10_000)],
    ['whose machine is ahead of us', after(60_000), after(limits.blockerMs)],
    ['whose row does not say since when', null, after(limits.blockerMs)],
  ])('never promises more than GH waits at a blocker %s', (_what, since, ghWaitsUntil) => {
    expect(decideNextStep(makeJob(), { ...blocker, since }, makeMoment(), limits)).toMatchObject({ ghWaitsUntil });
  });

  test('never waits beyond the deadline of the whole job', () => {
    const step = decideNextStep(makeJob({ jobDeadlineAt: after(60_000) }), review, makeMoment(), limits);
    expect(step).toMatchObject({ act: 'wait_for_human', deadlineAt: after(60_000) });
  });
});

describe('an uncertain job whose attempt is alive', () => {
  const uncertain = { state: 'uncertain' } as const;
  test.each<Row>([
    ['rests while the attempt runs', uncertain, running, {}, { act: 'stay', isOwnerInDoubt: false }],
    ['rests while the row is silent', uncertain, inForm, { heartbeatAgeMs: 900_000 }, { act: 'stay', isOwnerInDoubt: false }],
    ['rests while the owner is unknown', uncertain, running, { proof: 'unknown', heartbeatAgeMs: 900_000 }, { act: 'stay' }],
    ['rests while a human is waited for', uncertain, review, {}, { act: 'stay', isOwnerInDoubt: false }],
    ['rests when the row looks new again', { ...uncertain, deadlineAt: past }, unclaimed, {}, { act: 'stay' }],
    ['succeeds with a late proof', uncertain, completed('yes'), {}, { act: 'end', state: 'succeeded' }],
    ['fails with a late proof of the contrary', uncertain, failed('no'), {}, { act: 'end', state: 'failed', submission: 'no' }],
    [
      'rests without its attempt when that completed without proof',
      uncertain,
      completed('maybe'),
      {},
      { act: 'end_attempt', endReason: 'completed', submission: 'maybe' },
    ],
    ['rests without its attempt when that failed in the form', uncertain, failed('maybe'), {}, { act: 'end_attempt', endReason: 'failed' }],
    ['rests without its attempt when the owner is gone', uncertain, inForm, { proof: 'gone' }, { act: 'end_attempt', endReason: 'lost' }],
    [
      'rests without its attempt when the owner went idle',
      uncertain,
      running,
      { proof: 'idle' },
      { act: 'end_attempt', endReason: 'lost', submission: 'maybe' },
    ],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('an uncertain job whose attempt is over', () => {
  const uncertain = { state: 'uncertain' } as const;
  const isOver = true;
  const yes = { submission: 'yes' } as const;
  const no = { submission: 'no', errorCode: 'validation_error' } as const;
  const rests = { act: 'stay', isOwnerInDoubt: false } as const;
  const submitted = { act: 'end', state: 'succeeded', submission: 'yes', reason: 'resolved_by_proof' } as const;
  const refused = { act: 'end', state: 'failed', submission: 'no', reason: 'resolved_by_proof', errorCode: 'validation_error' } as const;
  test.each<Row>([
    ['rests while its row says nothing new', uncertain, inForm, { isOver }, rests],
    ['rests though its row shows no trace of the form: it could not be written', uncertain, running, { isOver }, rests],
    ['rests with a row that was given away', uncertain, released, { isOver }, rests],
    ['rests with a row that completed without proof', uncertain, completed('maybe'), { isOver }, rests],
    ['rests with a row that failed in the form', uncertain, failed('maybe'), { isOver }, rests],
    ['rests when its row is gone', uncertain, unreadable, { isOver }, rests],
    ['ends as its row says by now', uncertain, completed('yes'), { isOver }, submitted],
    ['ends as its row says by now, when that is a no', uncertain, failed('no', 'validation_error'), { isOver }, refused],
    ['ends as its callback says', uncertain, inForm, { isOver, callbackProof: yes }, submitted],
    ['ends as its callback says, when that is a no', uncertain, running, { isOver, callbackProof: no }, refused],
    [
      'is cancelled by a late no that somebody had wanted',
      { ...uncertain, isCancelRequested: true },
      running,
      { isOver, callbackProof: no },
      { act: 'end', state: 'cancelled', submission: 'no' },
    ],
    ['believes its row before a callback', uncertain, completed('yes'), { isOver, callbackProof: no }, submitted],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('a callback that says submitted', () => {
  const callbackProof = { submission: 'yes' } as const;
  const proven = { act: 'end', state: 'succeeded', submission: 'yes', reason: 'resolved_by_proof' } as const;
  test.each<Row>([
    ['changes nothing while the worker is at work', {}, inForm, { callbackProof }, { act: 'stay' }],
    ['changes nothing while nobody knows what the worker does', {}, inForm, { callbackProof, proof: 'unknown' }, { act: 'stay' }],
    ['changes nothing while a person is waited for', waitsForReview, review, { callbackProof }, { act: 'stay' }],
    ['changes nothing of an uncertain job that still has its worker', { state: 'uncertain' }, inForm, { callbackProof }, { act: 'stay' }],
    ['changes nothing of a row that nobody has claimed', { state: 'assigned' }, unclaimed, { callbackProof }, { act: 'stay' }],
    ['ends the job once its worker is idle', {}, inForm, { callbackProof, proof: 'idle' }, proven],
    ['ends an uncertain one once its worker is idle', { state: 'uncertain' }, inForm, { callbackProof, proof: 'idle' }, proven],
    ['ends the job once its process is gone', {}, inForm, { callbackProof, proof: 'gone_in_silence' }, proven],
    ['forbids the attempt that a bare row would have allowed', {}, running, { callbackProof, proof: 'gone' }, proven],
    ['counts more than a wish to cancel', { isCancelRequested: true }, running, { callbackProof, proof: 'gone' }, proven],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('a job whose worker is idle and has not written how it ended', () => {
  test('is not told that a worker is lost', () => {
    const step = decideNextStep(makeJob(), inForm, makeMoment({ proof: 'idle' }), limits);
    expect(step).toMatchObject({ act: 'ask_a_person', endReason: 'lost', reason: 'end_not_written' });
  });
});

describe('a job that somebody cancels', () => {
  const cancelled = { isCancelRequested: true };
  const stopped = { act: 'end', state: 'cancelled', endReason: 'stopped', submission: 'no' } as const;
  const stillBlocker: Finding = { kind: 'human', humanKind: 'blocker', since: after(-10_000), submission: 'maybe' };
  const maybe = { act: 'ask_a_person', endReason: 'stopped', reason: 'cancelled_maybe_submitted', submission: 'maybe' } as const;
  test.each<Row>([
    ['goes on until its process is proven gone', cancelled, running, {}, { act: 'stay' }],
    ['is cancelled when it was stopped before the form', cancelled, running, { proof: 'gone' }, stopped],
    ['is uncertain when it was stopped with the form open', cancelled, inForm, { proof: 'gone' }, maybe],
    ['is uncertain when its row was silent before it was stopped', cancelled, running, { proof: 'gone', heartbeatAgeMs: 31_000 }, maybe],
    ['is uncertain when nobody ever beat for its row', cancelled, running, { proof: 'gone', heartbeatAgeMs: null }, maybe],
    ['is cancelled as a silent scrape', { ...cancelled, jobType: 'scrape' }, running, { proof: 'gone', heartbeatAgeMs: 31_000 }, stopped],
    ['is cancelled at a blocker before the form', { ...cancelled, ...waitsForBlocker }, blocker, { proof: 'gone' }, stopped],
    [
      'is cancelled at a blocker with the form open, and stays a possible submission',
      { ...cancelled, ...waitsForBlocker },
      stillBlocker,
      { proof: 'gone' },
      { ...stopped, reason: 'cancelled_at_blocker', submission: 'maybe' },
    ],
    [
      'is uncertain at a blocker whose row was silent',
      { ...cancelled, ...waitsForBlocker },
      stillBlocker,
      { proof: 'gone', heartbeatAgeMs: 31_000 },
      maybe,
    ],
    [
      'is uncertain at a blocker whose writes may be lost',
      { ...cancelled, ...waitsForBlocker },
      stillBlocker,
      { proof: 'gone', mayHaveLostWrites: true },
      maybe,
    ],
    ['is uncertain when it had gone on after a blocker', { ...cancelled, ...waitsForBlocker }, inForm, { proof: 'gone' }, maybe],
    ['is uncertain at a review, where a person may have submitted', { ...cancelled, ...waitsForReview }, review, { proof: 'gone' }, maybe],
    ['is cancelled when the attempt failed by itself before the form', cancelled, failed('no'), {}, { ...stopped, endReason: 'failed' }],
    [
      'is uncertain when its worker cannot be reached',
      cancelled,
      running,
      { isUnreachable: true },
      { act: 'ask_a_person', endReason: null, reason: 'unreachable', submission: 'maybe' },
    ],
    [
      'ends as its row says although its worker cannot be reached',
      cancelled,
      completed('yes'),
      { isUnreachable: true },
      { act: 'end', state: 'succeeded' },
    ],
    [
      'rests, once uncertain, when its worker cannot be reached',
      { ...cancelled, state: 'uncertain' },
      running,
      { isUnreachable: true },
      { act: 'stay' },
    ],
  ])('%s', (...row) => {
    expect(decideFor(row)).toMatchObject(row[4]);
  });
});

describe('the deadline of an attempt', () => {
  test("leaves room for a start and three runs of the handler, GH's own bound", () => {
    expect(attemptDeadline(makeJob({ timeoutSeconds: 300 }), now, limits)).toEqual(after(300_000 + 3 * 300_000));
  });

  test.each(jobStates)('never lies beyond the deadline of the whole job, in state %s', (state) => {
    expect(attemptDeadline(makeJob({ state, jobDeadlineAt: after(1_000), timeoutSeconds: 3_600 }), now, limits)).toEqual(after(1_000));
  });
});

import { commandOutcomes, type CommandOutcome } from '../../../src/contracts/command';
import { jobStates, type JobState } from '../../../src/contracts/job';
import { cancelOutcome, outcomes } from '../../../src/domain/command-outcome';
import { isTerminal } from '../../../src/domain/job-state';

const before = { wasEndedBefore: false, isUnreachable: false };

describe('what a cancel came to', () => {
  test.each<[JobState, CommandOutcome | null]>([
    ['accepted', null],
    ['waiting', null],
    ['assigned', null],
    ['running', null],
    ['waiting_human', null],
    ['uncertain', 'cancelled_maybe_submitted'],
    ['cancelled', 'cancelled'],
    ['succeeded', 'already_finished'],
    ['failed', 'already_finished'],
    ['expired', 'already_finished'],
  ])('%s is %s', (state, outcome) => {
    expect(cancelOutcome(state, before)).toBe(outcome);
  });

  test.each(['maybe', 'yes'] as const)('never says that nothing was submitted of a cancelled job that is submitted: %s', (submission) => {
    expect(cancelOutcome('cancelled', { ...before, submission })).toBe('cancelled_maybe_submitted');
  });

  test('is undeliverable where no way to the worker was found', () => {
    expect(cancelOutcome('uncertain', { ...before, isUnreachable: true })).toBe('undeliverable');
  });

  test('is no second cancellation of a job that was cancelled before', () => {
    expect(cancelOutcome('cancelled', { ...before, wasEndedBefore: true })).toBe('already_finished');
  });

  test('has an outcome for every end, and none before one', () => {
    for (const state of jobStates) {
      const isAtRest = isTerminal(state) || state === 'uncertain';
      for (const wasEndedBefore of [false, true])
        for (const isUnreachable of [false, true])
          expect([state, cancelOutcome(state, { wasEndedBefore, isUnreachable }) !== null]).toEqual([state, isAtRest]);
    }
  });

  test('P4: is cancelled for a cancelled job only', () => {
    expect(jobStates.filter((state) => cancelOutcome(state, before) === 'cancelled')).toEqual(['cancelled']);
  });
});

describe('the table of outcomes', () => {
  test.each<[CommandOutcome, string, number, number]>([
    ['cancelled', 'cancelled', 200, 200],
    ['cancelled_maybe_submitted', 'uncertain, or cancelled at a blocker', 200, 200],
    ['already_finished', 'unchanged', 409, 200],
    ['unconfirmed', 'stays', 202, 202],
    ['undeliverable', 'uncertain', 200, 200],
  ])('%s is the one of the design', (outcome, jobEnds, httpStatus, productStatus) => {
    expect(outcomes[outcome]).toMatchObject({ jobEnds, httpStatus, productStatus });
  });

  test('never answers 409 on the paths of the product, whose client takes it for success', () => {
    for (const outcome of commandOutcomes) expect([outcome, outcomes[outcome].productStatus]).not.toEqual([outcome, 409]);
  });

  test('says each outcome in words', () => {
    for (const outcome of commandOutcomes) expect(outcomes[outcome].words).toMatch(/^[A-Z].{10,}[^.]$/);
  });
});

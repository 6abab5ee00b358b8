import { constantFrom, property } from 'fast-check';
import { callbackStatuses } from '../../../src/contracts/callback';
import { ghStatuses } from '../../../src/contracts/ghosthands';
import { jobStates, terminalJobStates, type JobState } from '../../../src/contracts/job';
import { limits } from '../../../src/contracts/limits';
import { callbackOf, ghStatusOf, isTerminal, mayMove } from '../../../src/domain/job-state';
import { decideNextStep, type NextStep } from '../../../src/domain/next-step';
import { anyFinding, anyJobWithAttempt, anyMoment, findCounterexample } from './facts';

describe('the states of a job', () => {
  test('P2: no way leads out of a terminal state', () => {
    expect(
      findCounterexample(property(constantFrom(...terminalJobStates), constantFrom(...jobStates), (from, to) => !mayMove(from, to))),
    ).toBeNull();
  });

  test.each(jobStates)('%s is terminal exactly if nothing follows it', (state) => {
    expect(isTerminal(state)).toBe(jobStates.every((to) => !mayMove(state, to)));
  });

  test('every state but the first can be reached, and a terminal one from every state', () => {
    expect(reachableFrom('accepted')).toEqual(new Set(jobStates));
    for (const state of jobStates.filter((candidate) => !isTerminal(candidate))) {
      expect([...reachableFrom(state)].some(isTerminal)).toBe(true);
    }
  });

  test('nothing returns to accepted: another life is another generation', () => {
    expect(jobStates.filter((from) => mayMove(from, 'accepted'))).toEqual([]);
  });

  test('P3: a possible submission is never followed by waiting, whose next step is another attempt', () => {
    const afterUncertain = reachableFrom('uncertain');
    expect([...afterUncertain].filter((state) => ['waiting', 'assigned', 'running'].includes(state))).toEqual([]);
  });

  // The moves that activities/jobs/jobs.ts makes on its own account, beside those that the next property derives.
  test.each<[string, JobState, JobState]>([
    ['opening', 'accepted', 'waiting'],
    ['assigning before its workflow has come', 'accepted', 'assigned'],
    ['assigning', 'waiting', 'assigned'],
    ['waiting too long', 'waiting', 'expired'],
    ['cancelling before it is opened', 'accepted', 'cancelled'],
    ['cancelling before it has a worker', 'waiting', 'cancelled'],
    ['cancelling before the claim', 'assigned', 'cancelled'],
    ['resolving a review as submitted', 'waiting_human', 'succeeded'],
    ['resolving a review as not submitted', 'waiting_human', 'failed'],
    ['resolving as submitted', 'uncertain', 'succeeded'],
    ['resolving as not submitted', 'uncertain', 'failed'],
    ['opening the next generation', 'uncertain', 'failed'],
    ['resting uncertain for too long', 'uncertain', 'failed'],
  ])('%s is allowed', (_what, from, to) => {
    expect(mayMove(from, to)).toBe(true);
  });

  test('allows every move that the next step of a job with a live attempt can ask for', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const to = stateAfter(decideNextStep(job, finding, moment, limits));
          return to === null || mayMove(job.state, to);
        }),
        { numRuns: 3_000 },
      ),
    ).toBeNull();
  });
});

describe('what a state means to the neighbours', () => {
  test.each(jobStates)('%s has a status in the public row, never the claimable queued', (state) => {
    expect(ghStatuses).toContain(ghStatusOf[state]);
    expect(ghStatusOf[state]).not.toBe('queued');
  });

  test('writes into the public row only statuses that the CHECK of both branches allows', () => {
    const ofMain = ['pending', 'queued', 'running', 'paused', 'completed', 'failed', 'cancelled', 'expired'];
    expect(Object.values(ghStatusOf).filter((status) => !ofMain.includes(status))).toEqual([]);
  });

  test('P5: exactly the states that tell the product an end send a final callback', () => {
    const final = jobStates.filter((state) => callbackOf[state]?.isFinal === true);
    expect(final.toSorted()).toEqual([...terminalJobStates, 'uncertain'].toSorted());
  });

  // VALET sets `queued` itself; a callback of ours before `running` would write a claimable status into the row (valet §2.2).
  test.each(['accepted', 'waiting', 'assigned'] as const)('%s sends no callback', (state) => {
    expect(callbackOf[state]).toBeNull();
  });

  test('each callback has a status of the catalogue, and the row shows the same end', () => {
    for (const state of jobStates) {
      const callback = callbackOf[state];
      if (callback === null) continue;
      expect(callbackStatuses).toContain(callback.status);
      expect(ghStatusOf[state]).toBe(callback.status);
    }
  });
});

const reachableFrom = (start: JobState): Set<JobState> => {
  const seen = new Set<JobState>([start]);
  for (const from of seen) for (const to of jobStates) if (mayMove(from, to)) seen.add(to);
  return seen;
};

/** The state that activities/jobs/job-steps.ts enters for a step; null where the state stays. */
const stateAfter = (step: NextStep): JobState | null => {
  switch (step.act) {
    case 'stay':
    case 'end_attempt':
      return null;
    case 'run':
      return 'running';
    case 'wait_for_human':
      return 'waiting_human';
    case 'take_back':
      return step.then === 'cancel' ? 'cancelled' : 'waiting';
    case 'retry':
      return 'waiting';
    case 'end':
      return step.state;
    case 'ask_a_person':
      return 'uncertain';
  }
};

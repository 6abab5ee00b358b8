import type { HumanKind, JobState } from '../../../src/contracts/job';
import { isResolvable } from '../../../src/domain/job-state';
import { judgePersonCommand } from '../../../src/domain/person-command-outcome';

const job = { generation: 1, reason: 'x', detail: 'y', humanKind: null };
const resolve = { kind: 'resolve', generation: 1 } as const;

test.each<[state: JobState, humanKind: HumanKind | null, isIt: boolean]>([
  ['uncertain', null, true],
  ['waiting_human', 'review', true],
  ['waiting_human', 'blocker', false],
  ['waiting_human', null, false],
  ['running', 'review', false],
  ['succeeded', null, false],
])('a resolve of a job that is %s (%s) can still be taken: %s', (state, humanKind, isIt) => {
  expect(isResolvable({ state, humanKind })).toBe(isIt);
  const judged = judgePersonCommand(resolve, { ...job, state, humanKind });
  expect(judged).toEqual(isIt ? null : { outcome: 'refused', detail: `The job is ${state} now` });
});

test('what the job became tells what came of a resolve and of a retry', () => {
  expect(judgePersonCommand(resolve, { ...job, state: 'succeeded', reason: 'resolved_submitted' })).toEqual({
    outcome: 'resolved',
    detail: 'y',
  });
  expect(judgePersonCommand(resolve, { ...job, state: 'uncertain', generation: 2 })?.outcome).toBe('refused');
  expect(judgePersonCommand({ kind: 'retry', generation: 1 }, { ...job, state: 'waiting', generation: 2 })?.outcome).toBe('reopened');
  expect(judgePersonCommand({ kind: 'retry', generation: 1 }, { ...job, state: 'uncertain' })).toBeNull();
  expect(judgePersonCommand({ kind: 'retry', generation: 1 }, { ...job, state: 'failed' })?.outcome).toBe('refused');
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { commandKinds, resolutionTypes } from '../../../src/contracts/command';
import { deployHostStates, deployKinds, deployOutcomes, deployPhases, logStreams } from '../../../src/contracts/deploy';
import { affinities, attemptStates, humanKinds, jobStates, submissions, terminalJobStates } from '../../../src/contracts/job';
import { sweepKinds } from '../../../src/contracts/sweep';
import { queuedStates, statesAtWork, statesForPerson } from '../../../src/domain/job-state';
import { projectRoot } from '../../../src/project-root';

/** What the migrations make; a test with a server keeps it so (test/integration/migrate.test.ts). */
const schema = readFileSync(path.join(projectRoot(), 'src/db/schema.sql'), 'utf8').split('\n');
const lineOf = (start: RegExp): string => schema.find((line) => start.test(line)) ?? '';
const wordsIn = (text: string): string[] => [...text.matchAll(/'(\w+)'::text/g)].flatMap(([, word]) => word ?? []);

const checks: [constraint: string, words: readonly string[]][] = [
  ['job_state_check', jobStates],
  ['job_check', terminalJobStates],
  ['job_human_kind_check', humanKinds],
  ['job_submission_check', submissions],
  ['job_affinity_check', affinities],
  ['attempt_state_check', attemptStates],
  ['attempt_submission_check', submissions],
  ['command_kind_check', commandKinds],
  ['command_resolution_type_check', resolutionTypes],
  ['deploy_phase_check', deployPhases],
  ['deploy_outcome_check', deployOutcomes],
  ['deploy_kind_check', deployKinds],
  ['deploy_host_state_check', deployHostStates],
  ['deploy_log_stream_check', logStreams],
  ['sweep_report_kind_check', sweepKinds],
];

it.each(checks)('%s knows the words of src/contracts: a new one needs a migration', (constraint, words) => {
  expect(wordsIn(lineOf(new RegExp(`^ +constraint ${constraint} `))).toSorted()).toEqual([...words].toSorted());
});

it('no list of words is left out', () => {
  const lists = schema.flatMap((line) => /^ +constraint (\w+) .*ARRAY\['/.exec(line)?.[1] ?? []);
  // Words that are a type and no list.
  const others = ['callback_settled_as_check', 'deploy_direction_check'];
  expect(lists.toSorted()).toEqual([...checks.map(([constraint]) => constraint), ...others].toSorted());
});

it.each([
  ['job_turn_idx', queuedStates],
  ['job_turn_of_user_idx', queuedStates],
  ['job_turn_at_worker_idx', queuedStates],
  ['job_live_user_idx', statesAtWork],
  ['job_attention_idx', statesForPerson],
])('%s is of the states that the statements name: of others Postgres would not choose it', (index, states) => {
  const [, where = ''] = lineOf(new RegExp(`index ${index} `, 'i')).split(/ where /i);
  expect(wordsIn(where).filter((word) => (jobStates as readonly string[]).includes(word))).toEqual(states);
});

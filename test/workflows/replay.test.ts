import os from 'node:os';
import { deployOutcomes } from '../../src/contracts/deploy';
import { terminalJobStates } from '../../src/contracts/job';
import { workflowNames } from '../../src/contracts/messages';
import { projectRoot } from '../../src/project-root';
import { readRecorded, recordAgain, recordDeploysAgain, replay, type RecordedHistory } from '../support/recorded-histories';

/**
 * Histories of real runs, replayed against the workflows as they are now. One that fails is a workflow that would be stuck after a deploy.
 *
 * To record them all again, in about five minutes: WRITE_HISTORIES=1 npx jest test/workflows/replay.test.ts (=deploys records those alone)
 */
if (process.env.WRITE_HISTORIES) {
  describe('recording', () => {
    if (process.env.WRITE_HISTORIES !== 'deploys') recordAgain();
  });
  describe('recording deploys', () => {
    recordDeploysAgain();
  });
}

const advice = `The workflow does not do again what it did in this history, so one that is open now would be stuck after a deploy. Keep the
old way behind patched('<name of the change>') from @temporalio/workflow. Only if no workflow of before the change can be open any more, record
again: WRITE_HISTORIES=1 npx jest test/workflows/replay.test.ts`;

describe('a workflow that runs now', () => {
  let recorded: RecordedHistory[] = [];
  beforeAll(async () => {
    recorded = await readRecorded();
  });

  test('goes on from every recorded history', async () => {
    const stuck = await replay(recorded.map(({ ending, history }) => ({ workflowId: ending, history })));
    if (stuck.length > 0) throw new Error(`${advice}\n\n${stuck.join('\n\n')}`);
    expect(recorded.length).toBeGreaterThan(0);
  });

  test('is caught when it takes another step than it took', async () => {
    const succeeded = recorded.find(({ ending }) => ending === 'succeeded');
    // As if the workflow had once delivered its callbacks by another name.
    const otherStep = JSON.stringify(succeeded?.history).replaceAll('"deliverDueCallbacks"', '"deliverAnything"');
    expect(await replay([{ workflowId: 'changed', history: JSON.parse(otherStep) }])).toEqual([expect.stringMatching(/deliver/)]);
  });

  test('has a history of each of its kinds, of each end of a job and each outcome of a deploy', () => {
    expect([...new Set(recorded.map(({ workflowType }) => workflowType))].toSorted()).toEqual(Object.values(workflowNames).toSorted());
    const ends = recorded
      .filter(({ workflowType }) => workflowType === workflowNames.applyJob)
      .map(({ result }) => String(Reflect.get(Object(result), 'state')));
    expect([...new Set(ends)].toSorted()).toEqual([...terminalJobStates].toSorted());
    const outcomes = recorded
      .filter(({ workflowType }) => workflowType === workflowNames.kamalDeploy)
      .map(({ result }) => String(Reflect.get(Object(result), 'outcome')));
    expect(outcomes.toSorted()).toEqual(deployOutcomes.toSorted());
  });

  test('P8: leaves no personal data in a history, and no name of a machine', () => {
    const traces = ['Zoë', 'Ünal', 'example.test', 'resumes/', `@${os.hostname()}`, projectRoot()];
    const found = recorded.filter(({ plainText }) => traces.some((trace) => plainText.includes(trace)));
    expect(found.map(({ ending }) => ending)).toEqual([]);
  });
});

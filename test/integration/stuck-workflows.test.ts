import { randomUUID } from 'node:crypto';
import { makeApplyJobId } from '../../src/contracts/ids';
import { workflowNames } from '../../src/contracts/messages';
import { createWorkflowsPort } from '../../workers/workflows-port';
import { withDatabase } from '../support/database';
import { sweepOnce } from '../support/sweep-pass';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();

/** As a worker does it whose code throws, or is not that of the history. */
const failNextTask = async (taskQueue: string): Promise<void> => {
  const { connection, namespace } = temporal;
  const { taskToken } = await connection.withDeadline(Date.now() + 60_000, () =>
    connection.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue }, identity: 'test' }),
  );
  await connection.workflowService.respondWorkflowTaskFailed({ namespace, taskToken, failure: { message: 'a test' }, identity: 'test' });
};

test('a workflow whose task fails again and again is an alarm of the sweep, whatever its kind and the cause; another one is none', async () => {
  const taskQueue = temporal.unique('stuck');
  const start = async (workflowType: string, workflowId: string, queue: string): Promise<string> =>
    (await temporal.client.workflow.start(workflowType, { workflowId, taskQueue: queue })).workflowId;
  const workflowId = await start(workflowNames.drainWorker, temporal.unique('drain'), taskQueue);
  await start(workflowNames.applyJob, makeApplyJobId({ jobId: randomUUID() }), temporal.unique('healthy'));
  const port = createWorkflowsPort(temporal.client, { deadlineMs: 10_000 });
  let stuck = await port.listStuckWorkflows();
  expect(stuck).toEqual([]);
  // The server says so after a number of failures that it is free to change.
  for (let failures = 0; stuck.length === 0 && failures < 200; failures++) {
    await failNextTask(taskQueue);
    stuck = await port.listStuckWorkflows();
  }
  expect(stuck).toEqual([{ workflowId, problem: expect.stringContaining('category=WorkflowTaskFailed') }]);

  const { of } = await sweepOnce(database.pool, { stuck });
  expect(of('workflow_stuck')).toEqual([
    { finding: 'workflow_stuck', subject: workflowId, detail: expect.stringContaining('WorkflowTaskFailed') },
  ]);
});

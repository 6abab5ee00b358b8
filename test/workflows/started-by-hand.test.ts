import { randomUUID } from 'node:crypto';
import { failureTypes } from '../../src/contracts/errors';
import { workflowNames } from '../../src/contracts/messages';
import { withFleetFixture } from '../support/fleet-fixture';

let connectionsToMiss = 0;
const fixture = withFleetFixture({
  hosts: 1,
  replaceActivities: ({ sweepFleet }) => ({
    async sweepFleet(request) {
      if (connectionsToMiss-- > 0) throw new Error('timeout exceeded when trying to connect');
      return await sweepFleet(request);
    },
  }),
});
const jobId = randomUUID();

test.each<[string, unknown[]]>([
  ...(['applyJob', 'cancelJob', 'resumeJob', 'deliverCallbacks', 'drainWorker', 'recycleWorker'] as const).map(
    (name): [string, unknown[]] => [workflowNames[name], []],
  ),
  ...(['applyJob', 'cancelJob', 'resumeJob'] as const).map((name): [string, unknown[]] => [workflowNames[name], [{ jobId: 'abc' }]]),
  [workflowNames.deliverCallbacks, [{ jobId: 'abc', generation: 1 }]],
  [workflowNames.deliverCallbacks, [{ jobId }]],
  [workflowNames.drainWorker, [{ workerId: 'worker-1', deadlineMs: 1.5 }]],
  [workflowNames.drainWorker, [{ workerId: 'worker-1', deadlineMs: 'ten minutes' }]],
  [workflowNames.drainWorker, [{ workerId: 7 }]],
  [workflowNames.workerCleanup, [{ dryRun: 'false' }]],
])('%s with %j fails at once, and says what it needs', async (workflowType, args) => {
  const running = fixture.client.workflow.execute(workflowType, {
    workflowId: `by-hand-${randomUUID()}`,
    taskQueue: fixture.taskQueue,
    args,
    workflowExecutionTimeout: '20 seconds',
  });
  await expect(running).rejects.toMatchObject({
    cause: { type: failureTypes.invalidInput, message: expect.stringContaining('cannot be used: ') },
  });
});

test('a job is taken by no workflow but its own, which people and programs find under its id', async () => {
  const own = await fixture.submit('https://sim.test/quick', { wantedWorker: 'nobody', affinity: 'strict' });
  const ownJobId = own.workflowId.replace('apply-job-', '');
  await fixture.until(ownJobId, 'waiting');
  const another = fixture.client.workflow.execute(workflowNames.applyJob, {
    workflowId: `by-hand-${randomUUID()}`,
    taskQueue: fixture.taskQueue,
    args: [{ jobId: ownJobId }],
    workflowExecutionTimeout: '20 seconds',
  });
  await expect(another).rejects.toMatchObject({
    cause: { cause: { type: failureTypes.invalidInput, message: expect.stringContaining(own.workflowId) } },
  });
  await own.signal('cancel', { reason: 'enough' });
  await fixture.until(ownJobId, 'cancelled');
  await expect(own.result()).resolves.toMatchObject({ state: 'cancelled' });
});

test('a pass of the sweep that gets no connection begins again', async () => {
  connectionsToMiss = 1;
  const running = fixture.client.workflow.execute(workflowNames.workerCleanup, {
    workflowId: `by-hand-${randomUUID()}`,
    taskQueue: fixture.taskQueue,
    args: [{ full: true }],
  });
  await expect(running).resolves.toMatchObject({ kind: 'full' });
  expect(connectionsToMiss).toBe(-1);
});

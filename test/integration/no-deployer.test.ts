import { randomUUID } from 'node:crypto';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withFleetFixture } from '../support/fleet-fixture';
import { until } from '../support/until';

const fixture = withFleetFixture({ hosts: 1 });
let gateway: TestGateway;

beforeAll(async () => {
  const workflows = createWorkflowsClient(fixture.client, { deadlineMs: 30_000, taskQueue: fixture.taskQueue });
  gateway = await startTestGateway({ pool: fixture.pool, workflows });
});
afterAll(async () => await gateway.stop());

const get = async (path: string): Promise<Reply> => await call(`${gateway.url}${path}`, { key: testKeys.readOnly });

// Nobody can recycle: so does a deployer without RECYCLE_COMMAND answer, which src/domain/left-process.ts treats alike.
test('where no worker can be recycled, the answer to a resolve says who waits for a restart, as do the fleet and the list of what needs a person', async () => {
  // As the schedule starts it: it asks the deployer what it can.
  await fixture.sweep({});
  expect((await get('/v1/fleet')).body).toMatchObject({ recycle: { state: 'no_deployer' }, workersToRestart: [] });

  const jobId = randomUUID();
  await fixture.submit('https://sim.test/review?ms=20', { jobId });
  // No callback tells of a review.
  await until(async () => (await fixture.sweep(), (await fixture.job(jobId)).state === 'waiting_human'), { what: 'the review is seen' });
  const resolved = await call(`${gateway.url}/v1/jobs/${jobId}/resolve?wait=20`, { key: testKeys.operator, json: { submitted: true } });
  expect(resolved).toMatchObject({
    status: 200,
    body: {
      outcome: 'resolved',
      leftWorker: { workerId: 'worker-1', isBeingRecycled: false, detail: expect.stringContaining('Restart worker-1') },
    },
  });
  const workersToRestart = [expect.objectContaining({ workerId: 'worker-1' })];
  expect((await get('/v1/fleet')).body).toMatchObject({ workersToRestart });
  expect((await get('/v1/jobs?needsAttention=true')).body).toMatchObject({ workersToRestart });
});

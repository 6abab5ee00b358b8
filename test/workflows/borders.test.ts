import { randomUUID } from 'node:crypto';
import { temporal } from '@temporalio/proto';
import { sample } from 'fast-check';
import { failureTypes } from '../../src/contracts/errors';
import { makeCancelJobId } from '../../src/contracts/ids';
import { workflowNames } from '../../src/contracts/messages';
import { listCommands } from '../../src/db/commands/commands';
import { queryRaw, signalRaw, startRaw, typed, unreadable } from '../support/typed-by-people';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';

// The fleet is paused: every job waits until somebody ends it.
const fixture = withFleetFixture({ hosts: 1 });
beforeAll(async () => await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a test', 'test')`));
const sent = sample(typed, { numRuns: 24, seed: 12 });

/** A job that waits, whose workflow has taken everything that was sent before. */
const waitingJob = async (): Promise<{ jobId: string; handle: Awaited<ReturnType<FleetFixture['submit']>> }> => {
  const jobId = randomUUID();
  const handle = await fixture.submit('https://sim.test/quick', { jobId });
  await fixture.until(jobId, 'waiting');
  return { jobId, handle };
};

const cancel = async (jobId: string): Promise<unknown> =>
  await fixture.client.workflow.execute(workflowNames.cancelJob, {
    workflowId: makeCancelJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, reason: 'really', actor: 'zoe' }],
    workflowExecutionTimeout: '30 seconds',
  });

const readEvents = async (workflowId: string): Promise<temporal.api.history.v1.IHistoryEvent[]> =>
  (await fixture.client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];

const failedTasks = async (workflowId: string): Promise<number> =>
  (await readEvents(workflowId)).filter(({ workflowTaskFailedEventAttributes: failed }) => failed).length;

describe('a job whose workflow was sent whatever can be typed', () => {
  test('answers its query, and is cancelled by the next word', async () => {
    const { jobId, handle } = await waitingJob();
    for (const payload of sent) {
      const text = JSON.stringify(payload) ?? '{}';
      for (const name of ['wake', 'resume', 'resolve', 'retry', 'nobody-hears-this'])
        await signalRaw(fixture.client, handle.workflowId, name, { encoding: 'json/plain', text });
    }
    for (const payload of unreadable) {
      for (const name of ['wake', 'cancel', 'resume', 'resolve', 'retry'])
        await signalRaw(fixture.client, handle.workflowId, name, payload);
      expect(JSON.parse(await queryRaw(fixture.client, handle.workflowId, 'status', payload))).toMatchObject({ jobId, state: 'waiting' });
    }
    await expect(cancel(jobId)).resolves.toMatchObject({ outcome: 'cancelled' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    expect(await failedTasks(handle.workflowId)).toBe(0);
  });

  test.each([
    ['a bare text', '"closed\\u0000"', null],
    ['what nobody can store', '{"reason":"closed\\u0000","actor":"\\ud83d"}', expect.stringMatching(/^closed/)],
    ['no texts', '{"reason":["closed"],"actor":7}', null],
    ['a text without end', JSON.stringify({ reason: 'x'.repeat(1_500_000) }), expect.stringMatching(/^x{400}.{0,100}$/)],
  ])('is cancelled by a signal with %s', async (_what, text, reason) => {
    const { jobId, handle } = await waitingJob();
    await signalRaw(fixture.client, handle.workflowId, 'cancel', { encoding: 'json/plain', text });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    await fixture.client.workflow.getHandle(makeCancelJobId({ jobId })).result();
    expect(await listCommands(fixture.pool, { jobId, rows: 5 })).toMatchObject([{ kind: 'cancel', reason, outcome: 'cancelled' }]);
  });
  test('P8: hands on no secret of a signal: no child, no activity and no row has it', async () => {
    const { jobId, handle } = await waitingJob();
    const reason = 'closed: password=hunter2hunter2 of zoe@applicant.example';
    await signalRaw(fixture.client, handle.workflowId, 'cancel', {
      encoding: 'json/plain',
      text: JSON.stringify({ reason, actor: reason }),
    });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    const handedOn = [
      ...(await readEvents(handle.workflowId)).filter(({ workflowExecutionSignaledEventAttributes: signalled }) => !signalled),
      ...(await readEvents(makeCancelJobId({ jobId }))),
    ].map((event) => Buffer.from(temporal.api.history.v1.HistoryEvent.encode(event).finish()).toString('latin1'));
    expect(handedOn.join('')).toContain('closed: password=[redacted] of [e-mail]');
    expect(handedOn.join('')).not.toMatch(/hunter2|zoe@/);
    expect(await listCommands(fixture.pool, { jobId, rows: 5 })).toMatchObject([{ reason: 'closed: password=[redacted] of [e-mail]' }]);
  });
});

test('a cancel whose own signals and queries are unreadable goes on', async () => {
  const { jobId, handle } = await waitingJob();
  const workflowId = makeCancelJobId({ jobId });
  await fixture.client.workflow.start(workflowNames.cancelJob, {
    workflowId,
    taskQueue: fixture.taskQueue,
    args: [{ jobId }],
    startDelay: '1 second',
  });
  for (const payload of unreadable) await signalRaw(fixture.client, workflowId, 'jobMoved', payload);
  await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
  await expect(fixture.client.workflow.getHandle(workflowId).result()).resolves.toMatchObject({ outcome: 'cancelled' });
  for (const payload of unreadable)
    expect(JSON.parse(await queryRaw(fixture.client, workflowId, 'command', payload))).toMatchObject({ jobId });
});

describe('a start with what cannot be used', () => {
  // Those of the deployer's queue are in kamal-deploy-borders.test.ts.
  const ofOrchestrator = Object.values(workflowNames).filter((name) => !/Deploy|Destination/.test(name));

  test.each(ofOrchestrator)('%s fails at once and says what to change, whatever it is', async (workflowType) => {
    const workflowId = `by-hand-${randomUUID()}`;
    for (const payload of [...unreadable, { encoding: 'json/plain', text: '{"jobId":"\\u0000","workerId":"\\ud83d","dryRun":"no"}' }]) {
      await startRaw(fixture.client, { workflowType, workflowId, taskQueue: fixture.taskQueue }, payload);
      await expect(fixture.client.workflow.getHandle(workflowId).result()).rejects.toMatchObject({
        cause: { type: failureTypes.invalidInput, message: expect.stringMatching(/^(The input of|A resume takes)/) },
      });
    }
  });

  test('leaves nothing behind that is in the way of the next one', async () => {
    const { jobId, handle } = await waitingJob();
    const start = { workflowType: workflowNames.cancelJob, workflowId: makeCancelJobId({ jobId }), taskQueue: fixture.taskQueue };
    await startRaw(fixture.client, start, { encoding: 'json/plain', text: JSON.stringify({ jobId, reason: 7 }) });
    await expect(fixture.client.workflow.getHandle(start.workflowId).result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('reason has to be a text') },
    });
    await expect(cancel(jobId)).resolves.toMatchObject({ outcome: 'cancelled' });
    await handle.result();
  });
});

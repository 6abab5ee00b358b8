import { randomUUID } from 'node:crypto';
import type { SignalDefinition, WorkflowHandle } from '@temporalio/client';
import { makeCancelJobId } from '../../src/contracts/ids';
import { jobMovedSignal, wakeSignal } from '../../src/contracts/messages';
import { listCommands, updateCommand } from '../../src/db/commands/commands';
import { withDeployFixture } from '../support/deploy-fixture';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** One word after the other, until the server has suggested it and the workflow has continued as new. */
const signalUntilAnew = async <Payload>(handle: WorkflowHandle, signal: SignalDefinition<[Payload]>, payload: Payload): Promise<void> => {
  const { runId } = await handle.describe();
  await until(
    async () => {
      await handle.signal(signal, payload);
      return (await handle.describe()).runId !== runId;
    },
    { what: 'it has continued as new', timeoutMs: 100_000, everyMs: 250 },
  );
};

describe('where a worker is stopped by nothing', () => {
  /** A worker that nothing stops keeps its cancel going for days: no cancel listener, no recycle command that works. */
  const fixture = withFleetFixture({
    hosts: 2,
    limits: { cancelConfirmMs: 1_500, exitProofMs: 400, doubtRecheckMs: 500 },
    hostOptions: () => ({ hasDirectUrl: false }),
    cancelMeans: ['listener', 'recycle'],
    recycle: () => Promise.resolve(false),
    temporalSettings: { 'limit.historyCount.suggestContinueAsNew': '60' },
  });

  test('a job and its cancel go on as new when their histories are long, and end as they should', async () => {
    const jobId = randomUUID();
    const job = await fixture.submit('https://sim.test/slow-start?startMs=600000', { jobId });
    const { attempt } = await fixture.until(jobId, 'running');
    const newest = fixture.client.workflow.getHandle(job.workflowId);
    await signalUntilAnew(newest, wakeSignal, { reason: 'a test' });

    await fixture.client.workflow.start('cancelJob', {
      workflowId: makeCancelJobId({ jobId }),
      taskQueue: fixture.taskQueue,
      args: [{ jobId, actor: 'zoe' }],
    });
    const cancel = fixture.client.workflow.getHandle(makeCancelJobId({ jobId }));
    await signalUntilAnew(cancel, jobMovedSignal, { state: 'running' });
    await fixture.simulator.restart(attempt?.host ?? '');
    await expect(cancel.result()).resolves.toMatchObject({ outcome: 'cancelled', actor: 'zoe', jobState: 'cancelled' });
    await expect(newest.result()).resolves.toMatchObject({ state: 'cancelled' });
  }, 240_000);

  test('the next run of a cancel goes on with its command, also when a first try of its opening has ended it', async () => {
    const jobId = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=50', { jobId });
    await fixture.until(jobId, 'succeeded');
    const { command } = await fixture.activities.openCancel({ jobId });
    expect(command).toMatchObject({ outcome: 'already_finished' });
    const again = await fixture.activities.openCancel({ jobId, commandId: command.commandId });
    expect(again.command).toEqual(command);
    expect(await listCommands(fixture.pool, { jobId, rows: 5 })).toHaveLength(1);
  });

  test('what a cancel tried is listed once for each result, and of many results the newest', async () => {
    const jobId = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=50', { jobId });
    const { command } = await fixture.activities.openCancel({ jobId });
    const note = async (result: string): Promise<unknown> =>
      await updateCommand(fixture.pool, { commandId: command.commandId, means: [{ means: 'listener', result }] });
    await updateCommand(fixture.pool, { commandId: command.commandId, means: [] });
    for (const result of ['ended', 'none_found', 'ended']) await note(result);
    const listed = async (): Promise<string[]> =>
      (await listCommands(fixture.pool, { jobId, rows: 1 })).flatMap(({ means }) => means.map(({ result }) => result));
    expect(await listed()).toEqual(['ended', 'none_found']);
    for (let round = 1; round <= 25; round++) await note(`round ${round}`);
    expect(await listed()).toEqual(Array.from({ length: 20 }, (_, index) => `round ${index + 6}`));
  });
});

describe('where a deploy has many steps', () => {
  const fixture = withDeployFixture({ temporalSettings: { 'limit.historyCount.suggestContinueAsNew': '15' } });

  test('it goes on as new between them, and is one deploy to everybody', async () => {
    const { deployId, handle } = await fixture.deploy({ version: 'v1', strategy: { canaryHosts: 1 } });
    const first = await handle.describe();
    const newest = fixture.client.workflow.getHandle(handle.workflowId);
    expect(await newest.result()).toMatchObject({ deployId, outcome: 'succeeded' });
    expect((await newest.describe()).runId).not.toBe(first.runId);
    const { rows } = await fixture.pool.query('select deploy_id from yardmaster.deploy');
    expect(rows).toEqual([{ deploy_id: deployId }]);
  }, 180_000);
});

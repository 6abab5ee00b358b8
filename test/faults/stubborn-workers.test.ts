import { randomUUID } from 'node:crypto';
import type { CommandView } from '../../src/contracts/command';
import { makeCancelJobId } from '../../src/contracts/ids';
import { listCommands, type Command } from '../../src/db/commands/commands';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** Workers without a direct URL have no cancel listener, and the command that would recycle them fails: only a person at the machine stops them. */
const fixture = withFleetFixture({
  hosts: 2,
  limits: { cancelConfirmMs: 1_500, exitProofMs: 400, doubtRecheckMs: 500 },
  hostOptions: () => ({ hasDirectUrl: false }),
  cancelMeans: ['listener', 'http', 'recycle'],
  recycle: () => Promise.resolve(false),
});

const submitRunning = async (): Promise<{ jobId: string; host: string }> => {
  const jobId = randomUUID();
  await fixture.submit('https://sim.test/slow-start?startMs=120000', { jobId });
  const { attempt } = await fixture.until(jobId, 'running');
  return { jobId, host: attempt?.host ?? '' };
};
const startCancel = async (jobId: string): Promise<{ result(): Promise<CommandView> }> =>
  await fixture.client.workflow.start('cancelJob', {
    workflowId: makeCancelJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, actor: 'zoe' }],
  });
const commandOf = async (jobId: string): Promise<Command | undefined> => (await listCommands(fixture.pool, { jobId, rows: 1 })).at(0);

test('a cancel that cannot be proven says unconfirmed, tries every means in its order, and ends once a person restarts the machine', async () => {
  const { jobId, host } = await submitRunning();
  const cancelling = await startCancel(jobId);
  const command = await until(
    async () => {
      const found = await commandOf(jobId);
      return found?.outcome === 'unconfirmed' ? found : null;
    },
    { what: 'the cancel says that it is unconfirmed', timeoutMs: 30_000 },
  );
  expect(command).toMatchObject({ endedAt: null, route: { route: 'owner', host } });
  expect(command.means.slice(0, 3)).toEqual([
    { means: 'listener', result: 'none_found' },
    // As every GH known today answers (ghosthands §1.4).
    { means: 'http', result: 'answered 500' },
    { means: 'recycle', result: expect.stringContaining('failed') },
  ]);
  expect((await fixture.job(jobId)).state).toBe('running');

  await fixture.simulator.restart(host);
  expect(await cancelling.result()).toMatchObject({ outcome: 'cancelled', jobState: 'cancelled' });
});

test('a cancel that finds nothing of its worker by the deadline is undeliverable, and the job waits for a person', async () => {
  const { jobId, host } = await submitRunning();
  // Its port accepts and never answers, as behind a partition.
  fixture.simulator.hang(host);
  const cancelling = await startCancel(jobId);
  expect(await cancelling.result()).toMatchObject({ outcome: 'undeliverable', jobState: 'uncertain' });
  expect(await fixture.job(jobId)).toMatchObject({ state: 'uncertain', reason: 'unreachable', submission: 'maybe' });
  fixture.simulator.kill(host);
});

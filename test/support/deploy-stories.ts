import { makeBreakDeployLockId, makeLookAtDestinationId } from '../../src/contracts/ids';
import {
  approveSignal,
  cancelDeploySignal,
  rejectSignal,
  taskQueues,
  workflowNames,
  type KamalDeployInput,
} from '../../src/contracts/messages';
import { destination, type DeployFixture, type DeployHandle } from './deploy-fixture';
import { addLiveAttempt } from './live-attempt';

type Record = (ending: string, workflowId: string) => Promise<void>;

/** One real run for each outcome of a deploy, told as tests, since that is how they are watched while they are recorded. */
export const playDeployStories = (fixture: DeployFixture, record: Record): void => {
  const start = async (input: Partial<KamalDeployInput> = {}): Promise<DeployHandle> => await fixture.deploy({ version: 'v2', ...input });
  const finish = async (outcome: string, { handle }: DeployHandle): Promise<void> => {
    expect(await handle.result()).toMatchObject({ outcome });
    await record(`deploy-${outcome}`, handle.workflowId);
  };

  beforeEach(async () => await fixture.reset('v1'), 60_000);

  test('records succeeded, with an approval, a canary and its soak', async () => {
    const started = await start({ strategy: { canaryHosts: 1, soakSeconds: 1, needsApproval: true } });
    await fixture.untilPhase(started.deployId, 'approval');
    await started.handle.signal(approveSignal, { deployId: started.deployId, actor: 'zoe' });
    await finish('succeeded', started);
  }, 180_000);

  test('records planned', async () => await finish('planned', await start({ dryRun: true })), 180_000);

  test('records refused', async () => await finish('refused', await start({ version: 'v99' })), 180_000);

  test('records rejected', async () => {
    const started = await start({ strategy: { needsApproval: true } });
    await fixture.untilPhase(started.deployId, 'approval');
    await started.handle.signal(rejectSignal, { deployId: started.deployId, actor: 'zoe', reason: 'not today' });
    await finish('rejected', started);
  }, 180_000);

  test('records aborted', async () => {
    const job = await addLiveAttempt(fixture.pool, { host: fixture.hosts[0] ?? '', workerId: 'worker-1' });
    await finish('aborted', await start({ strategy: { drainSeconds: 1 } }));
    await job.end();
  }, 180_000);

  test('records cancelled', async () => {
    const started = await start({ strategy: { needsApproval: true } });
    await fixture.untilPhase(started.deployId, 'approval');
    await started.handle.signal(cancelDeploySignal, { deployId: started.deployId, actor: 'zoe' });
    await finish('cancelled', started);
  }, 180_000);

  test('records rolled_back, after a cancel in the middle of a step', async () => {
    await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { sleepMs: 60_000 } });
    const started = await start();
    await fixture.untilPhase(started.deployId, 'deploy');
    await started.handle.cancel();
    await finish('rolled_back', started);
  }, 180_000);

  test('records broken', async () => {
    const full = { error: { message: 'no space left on device' } };
    await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', do: full }, { on: 'app start', do: full });
    await finish('broken', await start());
  }, 180_000);

  test('records an inspection of a destination, and a broken lock', async () => {
    const inspectionId = makeLookAtDestinationId({ destination, want: 'state' });
    await fixture.client.workflow.execute(workflowNames.lookAtDestination, {
      workflowId: inspectionId,
      taskQueue: taskQueues.deploy,
      args: [{ destination, want: 'state' }],
    });
    await record('look-at-destination', inspectionId);
    await fixture.kamal.kamal('lock', 'acquire', '-m', 'left by somebody', '-d', destination);
    const broken = makeBreakDeployLockId({ destination });
    const result: unknown = await fixture.client.workflow.execute(workflowNames.breakDeployLock, {
      workflowId: broken,
      taskQueue: taskQueues.deploy,
      args: [{ destination, reason: 'a recording', actor: 'zoe' }],
    });
    expect(result).toMatchObject({ kind: 'broken' });
    await record('break-deploy-lock', broken);
  }, 180_000);
};

import { sample } from 'fast-check';
import { failureTypes } from '../../src/contracts/errors';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { cancelDeploySignal, taskQueues, workflowNames } from '../../src/contracts/messages';
import { destination, service, withDeployFixture } from '../support/deploy-fixture';
import { queryRaw, signalRaw, startRaw, typed, unreadable } from '../support/typed-by-people';

const fixture = withDeployFixture();

jest.setTimeout(120_000);

const workflowId = makeKamalDeployId({ service, destination });
const sent = sample(typed, { numRuns: 16, seed: 12 });

test.each([workflowNames.kamalDeploy, workflowNames.lookAtDestination, workflowNames.breakDeployLock])(
  '%s with what cannot be used fails at once and says what to change',
  async (workflowType) => {
    const named = { destination, version: 'v2', deployId: 'tuesday', want: 'version', reason: ['x'] };
    for (const payload of [...unreadable, { encoding: 'json/plain', text: JSON.stringify(named) }]) {
      await startRaw(fixture.client, { workflowType, workflowId, taskQueue: taskQueues.deploy }, payload);
      await expect(fixture.client.workflow.getHandle(workflowId).result()).rejects.toMatchObject({
        cause: { type: failureTypes.invalidInput, message: expect.stringMatching(/^The input of/) },
      });
    }
  },
);

test('after all of that a deploy starts, answers its query whatever it is sent, and is cancelled by the next word', async () => {
  await fixture.reset('v1');
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { needsApproval: true } });
  await fixture.untilPhase(deployId, 'approval');
  for (const payload of sent) {
    const text = JSON.stringify(payload) ?? '{}';
    for (const name of ['approve', 'reject', 'cancel']) await signalRaw(fixture.client, workflowId, name, { encoding: 'json/plain', text });
  }
  for (const payload of unreadable) {
    for (const name of ['approve', 'reject', 'cancel']) await signalRaw(fixture.client, workflowId, name, payload);
    expect(JSON.parse(await queryRaw(fixture.client, workflowId, 'status', payload))).toMatchObject({ deployId, phase: 'approval' });
  }
  await handle.signal(cancelDeploySignal, { deployId, reason: 'closed\0', actor: '\uD83D' });
  await expect(handle.result()).resolves.toMatchObject({ outcome: 'cancelled', detail: expect.stringContaining('closed') });
});

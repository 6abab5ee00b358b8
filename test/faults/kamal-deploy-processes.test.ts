import type { DeployOutcome } from '../../src/contracts/deploy';
import type { Misbehaviour } from '../../dev/kamal/stand-in/stand-in-testbed';
import { withDeployFixture } from '../support/deploy-fixture';
import { until } from '../support/until';

/** Deploys whose Kamal is a process, as in production, since it is a process that is killed or left behind; all other stories do without. */
const fixture = withDeployFixture({ hasRealProcesses: true });

jest.setTimeout(180_000);

beforeEach(async () => await fixture.reset('v1'));

test.each<[what: string, order: Misbehaviour]>([
  ['while it stops', { on: 'app stop', at: 'stop', times: 1, do: { killSelf: 'SIGKILL' } }],
  ['while it boots', { on: 'deploy', at: 'boot', times: 1, do: { killSelf: 'SIGKILL' } }],
])('the old version is back, and nothing is left, when Kamal is killed %s', async (_what, order) => {
  await fixture.kamal.misbehave(order);
  const { handle } = await fixture.deploy({ version: 'v2' });
  expect(await handle.result()).toMatchObject({ outcome: 'rolled_back' });
  expect(await fixture.rest()).toEqual({ versions: ['v1', 'v1'], lock: null, holds: [] });
});

test('a deploy whose workflow was terminated goes on from its row', async () => {
  await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { sleepMs: 60_000 } });
  const { deployId, handle } = await fixture.deploy({ version: 'v2' });
  await fixture.untilPhase(deployId, 'deploy');
  await until(async () => (await fixture.kamal.steps()).at(-1)?.step === 'boot', { what: 'Kamal boots', timeoutMs: 30_000 });
  await handle.terminate('a test');
  const again = await fixture.deploy({ deployId, version: 'ignored-since-the-row-is-believed' });
  const deploy = await again.handle.result();
  expect(deploy).toMatchObject<{ deployId: string; outcome: DeployOutcome }>({ deployId, outcome: 'succeeded' });
  expect(await fixture.versions()).toEqual(['v2', 'v2']);
  expect(await fixture.lockHolder()).toBeNull();
});

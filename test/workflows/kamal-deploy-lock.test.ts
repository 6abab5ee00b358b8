import type { DeployView } from '../../src/contracts/deploy';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { cancelDeploySignal } from '../../src/contracts/messages';
import { destination, service, withDeployFixture, type DeployHandle } from '../support/deploy-fixture';
import { makeGate } from '../support/gate';
import { until } from '../support/until';

jest.setTimeout(180_000);

const fixture = withDeployFixture();
const [first = ''] = fixture.hosts;

beforeEach(async () => await fixture.reset('v1'));
afterEach(async () => await release());

const release = async (): Promise<void> => void (await fixture.kamal.kamal('lock', 'release', '-d', destination));
const lockWith = async (message: string): Promise<void> =>
  void (await fixture.kamal.kamal('lock', 'acquire', '-m', message, '-d', destination));

const untilStanding = async (deployId: string, detail: RegExp): Promise<DeployView> =>
  await until(
    async () => {
      const deploy = await fixture.getDeploy(deployId);
      return detail.test(deploy.standstill?.detail ?? '') ? deploy : null;
    },
    { what: `the deploy stands still: ${detail.source}`, timeoutMs: 60_000 },
  );

const untilBooting = async (host: string): Promise<void> => {
  const isBooting = async (): Promise<boolean> => {
    const last = (await fixture.kamal.steps()).at(-1);
    return last?.step === 'boot' && last.hosts?.includes(host) === true;
  };
  await until(isBooting, { what: `Kamal boots ${host}`, timeoutMs: 60_000 });
};

/** A deploy whose canary boots while `act` happens, so that all of it has happened before the next batch. */
const whileCanaryBoots = async (act: (deployId: string) => Promise<void>): Promise<DeployHandle> => {
  const gate = makeGate();
  await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { untilFile: gate.file } });
  const started = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1 } });
  await untilBooting(first);
  await act(started.deployId);
  gate.open();
  return started;
};

/** A person releases our lock and takes it himself before the canary is verified. */
const loseLock = async (): Promise<DeployHandle> =>
  await whileCanaryBoots(async () => {
    await release();
    await lockWith('an urgent fix');
  });

/** Steps of Kamal that change hosts, from some number on. */
const changes = async (from = 0): Promise<string[]> =>
  (await fixture.kamal.steps())
    .slice(from)
    .filter(({ step, command }) => step === 'start' && /^(app st|deploy)/.test(command.join(' ')))
    .map(({ command }) => command.slice(0, 2).join(' '));

test('a lock that a person has taken stops the deploy where it is, and it goes on when the lock is free', async () => {
  const { deployId, handle } = await loseLock();
  const steps = (await fixture.kamal.steps()).length;
  const standing = await untilStanding(deployId, /^the lock is held by .*an urgent fix/);
  expect(standing).toMatchObject({ phase: 'stop', direction: 'forward', outcome: null });
  expect(standing.hosts.map(({ state }) => state)).toEqual(['verified', 'held']);
  // It looks again and again, and does nothing.
  const looks = async (): Promise<number> =>
    (await fixture.kamal.steps()).filter(({ step, command }) => step === 'start' && command.join(' ') === 'lock status').length;
  const seen = await looks();
  await until(async () => (await looks()) > seen + 3, { what: 'it has looked again', timeoutMs: 60_000 });
  expect(await changes(steps)).toEqual([]);
  expect(await fixture.lockHolder()).toContain('an urgent fix');
  await release();
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'succeeded', standstill: null });
  expect(await fixture.rest()).toEqual({ versions: ['v2', 'v2'], lock: null, holds: [] });
  const { rows } = await fixture.pool.query<{ act: string }>(
    `select act from yardmaster.audit where subject = $1 and act like 'deploy_lock%' order by audit_id`,
    [deployId],
  );
  expect(rows.map(({ act }) => act)).toEqual(['deploy_lock_lost', 'deploy_lock_regained']);
});

test('a new holder is named', async () => {
  const { deployId, handle } = await loseLock();
  await untilStanding(deployId, /an urgent fix/);
  await release();
  await lockWith('zoe has it now');
  // Between the two it may have been free for a moment, and then it is ours.
  await until(
    async () => {
      const { standstill, outcome } = await fixture.getDeploy(deployId);
      return outcome !== null || (standstill?.detail.includes('zoe has it now') ?? false);
    },
    { what: 'the new holder is named', timeoutMs: 60_000 },
  );
  await release();
  expect(await handle.result()).toMatchObject({ outcome: 'succeeded' });
});

test('a cancel turns the deploy, and nothing is put back before the lock is free', async () => {
  const { deployId, handle } = await loseLock();
  await untilStanding(deployId, /an urgent fix/);
  const steps = (await fixture.kamal.steps()).length;
  await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe' });
  const standing = await fixture.untilPhase(deployId, 'compensate');
  expect(standing.standstill?.detail).toContain('an urgent fix');
  expect(await changes(steps)).toEqual([]);
  await release();
  expect(await handle.result()).toMatchObject({ outcome: 'rolled_back', cancelRequestedBy: 'zoe' });
  expect(await fixture.rest()).toEqual({ versions: ['v1', 'v1'], lock: null, holds: [] });
});

test('a second cancel leaves everything as it stands', async () => {
  const { deployId, handle } = await loseLock();
  await untilStanding(deployId, /an urgent fix/);
  const steps = (await fixture.kamal.steps()).length;
  await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe' });
  await fixture.untilPhase(deployId, 'compensate');
  await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe', reason: 'leave it' });
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'broken', standstill: null });
  expect(deploy.detail).toMatch(new RegExp(`^v2 stays on ${first}, verified \\(left as it stands, cancelled by zoe: leave it\\)`));
  expect(await changes(steps)).toEqual([]);
  expect(await fixture.lockHolder()).toContain('an urgent fix');
  expect((await fixture.rest()).versions).toEqual(['v2', 'v1']);
});

test('a cancel of before the lock was lost on the way back leaves nothing as it stands', async () => {
  const gate = makeGate();
  const { deployId, handle } = await whileCanaryBoots(async (id) => {
    await fixture.kamal.misbehave({ on: 'app stop', at: 'stop', times: 1, do: { untilFile: gate.file } });
    const running = fixture.client.workflow.getHandle(makeKamalDeployId({ service, destination }));
    await running.signal(cancelDeploySignal, { deployId: id, actor: 'zoe' });
    await until(async () => (await fixture.kamal.steps()).at(-1)?.step === 'stop', { what: 'Kamal stops the canary', timeoutMs: 60_000 });
    await running.signal(cancelDeploySignal, { deployId: id, actor: 'zoe', reason: 'impatient' });
    await release();
    await lockWith('an urgent fix');
  });
  gate.open();
  await untilStanding(deployId, /an urgent fix/);
  const isNoted = async (): Promise<boolean> => (await fixture.lines(deployId)).some(({ line }) => line.includes('impatient'));
  await until(isNoted, { what: 'the second cancel is taken', timeoutMs: 60_000 });
  await release();
  expect(await handle.result()).toMatchObject({ outcome: 'rolled_back' });
  expect(await fixture.rest()).toEqual({ versions: ['v1', 'v1'], lock: null, holds: [] });
});

test('what the holder has put on a host is left alone, and the deploy does not go on over it', async () => {
  const { deployId, handle } = await loseLock();
  await untilStanding(deployId, /an urgent fix/);
  await fixture.kamal.kamalWithLock('app', 'stop', '-d', destination, `--hosts=${first}`);
  await fixture.kamal.kamalWithLock('deploy', '-P', '-d', destination, '--version=v3', `--hosts=${first}`);
  const steps = (await fixture.kamal.steps()).length;
  await release();
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'broken', hosts: [{ state: 'failed', versionNow: 'v3' }, { state: 'held' }] });
  expect(deploy.detail).toContain(`changed while the lock was not ours: ${first}: v3 runs instead of v2`);
  expect(await changes(steps)).toEqual([]);
  expect(await fixture.rest()).toEqual({ versions: ['v3', 'v1'], lock: null, holds: [first] });
});

test('a lock that was only released is taken again before anything is changed', async () => {
  const gate = makeGate();
  const { deployId, handle } = await whileCanaryBoots(async () => {
    await release();
    await fixture.kamal.misbehave({ on: 'app stop', at: 'stop', times: 1, do: { untilFile: gate.file } });
  });
  await until(async () => (await fixture.kamal.steps()).at(-1)?.step === 'stop', {
    what: 'Kamal stops the second host',
    timeoutMs: 60_000,
  });
  expect(await fixture.lockHolder()).toContain(deployId);
  gate.open();
  expect(await handle.result()).toMatchObject({ outcome: 'succeeded' });
  expect(await fixture.rest()).toEqual({ versions: ['v2', 'v2'], lock: null, holds: [] });
});

test('a lock of our words that was taken anew is none of ours', async () => {
  const started = await whileCanaryBoots(async (deployId) => {
    const message = /^Message: (.*)$/m.exec((await fixture.lockHolder()) ?? '')?.[1] ?? '';
    // Kamal tells whole seconds.
    const { lockAt } = await fixture.getDeploy(deployId);
    await until(() => Date.now() > Date.parse(lockAt ?? '') + 1_000, { what: 'another second has begun' });
    await release();
    await lockWith(message);
  });
  await untilStanding(started.deployId, /has our words and was taken anew/);
  await release();
  expect(await started.handle.result()).toMatchObject({ outcome: 'succeeded' });
});

test('a deployer that takes over starts nothing without the lock', async () => {
  const gate = makeGate();
  await fixture.kamal.misbehave({ on: 'app stop', at: 'stop', times: 1, do: { untilFile: gate.file } });
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1 } });
  await until(async () => (await fixture.kamal.steps()).at(-1)?.step === 'stop', { what: 'Kamal stops the canary', timeoutMs: 60_000 });
  const stopped = fixture.stopDeployer();
  gate.open();
  await stopped;
  await release();
  const boots = makeGate();
  await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { untilFile: boots.file } });
  await fixture.startDeployer();
  await untilBooting(first);
  expect(await fixture.lockHolder()).toContain(deployId);
  boots.open();
  expect(await handle.result()).toMatchObject({ outcome: 'succeeded' });
  expect(await fixture.rest()).toEqual({ versions: ['v2', 'v2'], lock: null, holds: [] });
});

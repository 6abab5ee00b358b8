import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { defaultStrategy, type DeployView } from '../../src/contracts/deploy';
import { makeKamalDeployId } from '../../src/contracts/ids';
import type { Limits } from '../../src/contracts/limits';
import { cancelDeploySignal } from '../../src/contracts/messages';
import { acceptDeploy } from '../../src/db/deploys/accept-deploy';
import type { Misbehaviour } from '../../dev/kamal/stand-in/stand-in-testbed';
import { makeLockMessage } from '../../src/domain/deploy-lock';
import { destination, service, withDeployFixture } from '../support/deploy-fixture';
import { makeGate } from '../support/gate';
import { addLiveAttempt } from '../support/live-attempt';
import { until } from '../support/until';

jest.setTimeout(180_000);

const fixture = withDeployFixture();
const v1Everywhere = { versions: ['v1', 'v1'], lock: null, holds: [] };
const v2Everywhere = { versions: ['v2', 'v2'], lock: null, holds: [] };

beforeEach(async () => await fixture.reset('v1'));

const play = async (orders: Misbehaviour[], input: Parameters<typeof fixture.deploy>[0] = {}): Promise<DeployView> => {
  await fixture.kamal.misbehave(...orders);
  const { handle } = await fixture.deploy({ version: 'v2', ...input });
  const deploy = await handle.result();
  await fixture.kamal.misbehave();
  return deploy;
};

test('an image that dies: the old version is back, verified, and only the canary was touched', async () => {
  await fixture.kamal.push('v2-dies', { broken: 'exits' });
  const deploy = await play([], { version: 'v2-dies', strategy: { canaryHosts: 1 } });
  expect(deploy).toMatchObject({ outcome: 'rolled_back', direction: 'back' });
  expect(deploy.hosts.map(({ state }) => state)).toEqual(['put_back', 'held']);
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

test('Kamal says success and nothing changed: the hosts are believed', async () => {
  const deploy = await play([{ on: 'deploy', do: { noEffect: true, exitCode: 0 } }]);
  expect(deploy.outcome).toBe('rolled_back');
  expect(deploy.disagreements).toMatchObject(fixture.hosts.map((host) => ({ phase: 'deploy', host, expected: 'Kamal reported success' })));
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

test('Kamal says failure after the switch: the hosts are believed, and the result tells both', async () => {
  const deploy = await play([{ on: 'deploy', at: 'end', do: { exitCode: 1 } }]);
  expect(deploy).toMatchObject({ outcome: 'succeeded', disagreements: [{ phase: 'deploy', host: null }] });
  expect(deploy.disagreements[0]?.expected).toMatch(/failure \(exit code 1/);
  expect(await fixture.rest()).toEqual(v2Everywhere);
});

test('an API that calls itself degraded on every page is not verified, however well everything else is', async () => {
  fixture.simulator.hosts[0]?.setApiIllness({ code: 503, status: 'degraded' });
  fixture.setLimits({ deployVerifyMs: 3_000 });
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1 } });
  await fixture.untilPhase(deployId, 'compensate');
  fixture.simulator.hosts[0]?.setApiIllness(null);
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'rolled_back', hosts: [{ state: 'put_back' }, { state: 'held' }] });
  expect(deploy.disagreements).toMatchObject([{ phase: 'verify', found: 'the API answers 503, degraded' }]);
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

test('what an API answers while it starts is waited for, and the result names all that was looked at', async () => {
  for (const host of fixture.simulator.hosts) host.setApiIllness({ code: 503, status: 'starting' });
  const { deployId, handle } = await fixture.deploy({ version: 'v2' });
  await fixture.untilPhase(deployId, 'verify');
  for (const host of fixture.simulator.hosts) host.setApiIllness(null);
  const deploy = await handle.result();
  expect(deploy.outcome).toBe('succeeded');
  for (const { detail } of deploy.hosts)
    expect(detail).toMatch(/^v2 runs; the API answers 200, ok; worker \S+ is running, not draining, and has registered since the stop$/);
});

test('the old version runs and does not answer: the way back starts it anew', async () => {
  const [host] = fixture.simulator.hosts;
  host?.stopApi();
  await fixture.kamal.misbehave({ on: 'app stop', at: 'stop', times: 1, do: { error: { message: 'connection closed by remote host' } } });
  // Nobody waits for it at the first check, and at the next one it has its time.
  fixture.setLimits({ deployVerifyMs: 100, deployCompensateRetryMs: 2_000 });
  const { deployId, handle } = await fixture.deploy({ version: 'v2' });
  await until(async () => (await fixture.lines(deployId)).some(({ line }) => line.startsWith('not all are back; tries again')), {
    what: 'the first try is over',
    timeoutMs: 60_000,
  });
  fixture.setLimits({ deployVerifyMs: 15_000 });
  expect(await handle.result()).toMatchObject({ outcome: 'rolled_back' });
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

describe('the old version is back, and nothing is left, when', () => {
  test.each<[what: string, orders: Misbehaviour[], limits?: Partial<Limits>]>([
    ['the stop fails', [{ on: 'app stop', at: 'stop', times: 1, do: { error: { message: 'connection closed by remote host' } } }]],
    ['the deploy fails before it boots', [{ on: 'deploy', at: 'boot', times: 1, do: { error: { message: 'connection reset' } } }]],
    ['Kamal is silent for too long', [{ on: 'deploy', at: 'boot', times: 1, do: { prompt: 'password: ' } }], { kamalSilentMs: 3_000 }],
    [
      'the way back fails at first, too',
      [
        { on: 'deploy', at: 'boot', times: 1, do: { error: { message: 'no space left on device' } } },
        { on: 'app start', times: 1, do: { error: { message: 'connection reset' } } },
        { on: 'app stop', at: 'end', times: 2, do: { exitCode: 1 } },
      ],
    ],
  ])('%s', async (_what, orders, limits = {}) => {
    fixture.setLimits(limits);
    const deploy = await play(orders);
    expect({ outcome: deploy.outcome, ...(await fixture.rest()) }).toEqual({ outcome: 'rolled_back', ...v1Everywhere });
  });
});

test('a second batch that fails takes the first one back with it', async () => {
  await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { sleepMs: 1 } });
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1 } });
  await until(async () => (await fixture.getDeploy(deployId)).hosts[0]?.state === 'verified', {
    what: 'the canary is verified',
    timeoutMs: 120_000,
  });
  await fixture.kamal.misbehave({ on: 'deploy', at: 'boot', times: 1, do: { error: { message: 'connection reset' } } });
  const deploy = await handle.result();
  expect(deploy.hosts.map(({ state }) => state)).toEqual(['put_back', 'put_back']);
  expect({ outcome: deploy.outcome, ...(await fixture.rest()) }).toEqual({ outcome: 'rolled_back', ...v1Everywhere });
});

test('a canary that falls ill while it is watched goes back, and the others were never touched', async () => {
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1, soakSeconds: 600 } });
  await fixture.untilPhase(deployId, 'soak');
  fixture.simulator.hosts[0]?.stopApi();
  const deploy = await handle.result();
  expect(deploy.hosts.map(({ state }) => state)).toEqual(['put_back', 'held']);
  expect({ outcome: deploy.outcome, ...(await fixture.rest()) }).toEqual({ outcome: 'rolled_back', ...v1Everywhere });
  expect(
    (await fixture.kamal.steps()).filter(({ command }) => command[0] === 'deploy' && command.includes(fixture.hosts[1] ?? '')),
  ).toEqual([]);
});

const playAccepted = async (deployId: string): Promise<DeployView> => {
  const strategy = { ...defaultStrategy, canaryHosts: 0 };
  const asked = { kind: 'deploy', version: 'v2', resolvedVersion: 'v2', isDryRun: false, reason: null } as const;
  const unrepeated = { idempotencyKey: null, requestHash: '' };
  const by = { actor: 'test', source: 'rest', address: null };
  await acceptDeploy(fixture.pool, { deployId, service, destination, strategy, ...asked, ...unrepeated }, by);
  return await play([], { deployId });
};

describe('a deploy is refused by its own check, and nothing was touched, with', () => {
  test.each([
    ['a secret that nobody has', 'secrets', 'env:\n  secret:\n    - NOT_THERE\n', 'missing: NOT_THERE'],
    ['an alias of nothing', 'config', 'env: *nope\n', 'is no YAML that Kamal reads: Unresolved alias'],
  ])('%s', async (_what, check, more, detail) => {
    const file = path.join(fixture.kamal.configDir, `config/deploy.${destination}.yml`);
    const whole = await readFile(file, 'utf8');
    await writeFile(file, `${whole}\n${more}`);
    const steps = (await fixture.kamal.steps()).length;
    try {
      // As the gateway does, which has looked when the file was whole.
      const deploy = await playAccepted(randomUUID());
      expect(deploy.outcome).toBe('refused');
      expect(deploy.checks).toEqual([{ check, host: null, isOk: false, detail: expect.stringContaining(detail) }]);
      expect(await fixture.kamal.steps()).toHaveLength(steps);
      expect(await fixture.rest()).toEqual(v1Everywhere);
    } finally {
      await writeFile(file, whole);
    }
  });
});

test('a deploy that is started by hand is told that the configuration cannot be used', async () => {
  const file = path.join(fixture.kamal.configDir, `config/deploy.${destination}.yml`);
  const whole = await readFile(file, 'utf8');
  await writeFile(file, 'env: *nope\n');
  try {
    await expect(play([])).rejects.toMatchObject({
      cause: { cause: { message: expect.stringMatching(/^the configuration of staging cannot be used: .* Unresolved alias/) } },
    });
  } finally {
    await writeFile(file, whole);
  }
});

test('a way back that never works is broken, says where, and keeps jobs off those hosts', async () => {
  const broken = { error: { message: 'no space left on device' } };
  fixture.setLimits({ deployVerifyMs: 500 });
  const deploy = await play(
    [
      { on: 'deploy', at: 'boot', do: broken },
      { on: 'app start', do: broken },
    ],
    { strategy: { canaryHosts: 1 } },
  );
  const [first = ''] = fixture.hosts;
  expect(deploy.outcome).toBe('broken');
  expect(deploy.hosts[0]).toMatchObject({ host: first, state: 'failed' });
  expect(deploy.detail).toContain(first);
  expect(await fixture.rest()).toEqual({ versions: [null, 'v1'], lock: null, holds: [first] });
  const { rows } = await fixture.pool.query<{ holder: string }>('select holder from yardmaster.host_hold');
  expect(rows).toEqual([{ holder: 'person' }]);
});

test('a host that the registry knows by no address refuses the deploy: its jobs would be interrupted unseen', async () => {
  const [, host = ''] = fixture.hosts;
  const { rows } = await fixture.pool.query<{ worker_id: string }>(
    `update gh_worker_registry set ec2_ip = '203.0.113.9', ec2_instance_id = 'i-elsewhere' where ec2_ip = $1 returning worker_id`,
    [host],
  );
  const deploy = await play([]);
  await fixture.pool.query(`update gh_worker_registry set ec2_ip = $2, ec2_instance_id = $3 where worker_id = $1`, [
    rows[0]?.worker_id,
    host,
    `i-${rows[0]?.worker_id}`,
  ]);
  expect(deploy.outcome).toBe('refused');
  expect(deploy.checks.filter(({ isOk }) => !isOk)).toMatchObject([{ check: 'registry', host }]);
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

test('jobs that came while no deployer held the hosts are named when the way back interrupts them', async () => {
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { canaryHosts: 1, soakSeconds: 600 } });
  await fixture.untilPhase(deployId, 'soak');
  const [host = ''] = fixture.hosts;
  const job = await addLiveAttempt(fixture.pool, { host, workerId: 'worker-1' });
  await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe', reason: 'enough' });
  const deploy = await handle.result();
  await job.end();
  expect(deploy).toMatchObject({ outcome: 'rolled_back', interruptedJobs: [{ host, workerId: 'worker-1' }] });
  expect(await fixture.rest()).toEqual(v1Everywhere);
});

describe('the lock', () => {
  const lockWith = async (message: string): Promise<void> =>
    void (await fixture.kamal.kamal('lock', 'acquire', '-m', message, '-d', destination));
  const release = async (): Promise<void> => void (await fixture.kamal.kamal('lock', 'release', '-d', destination));
  const workflowId = makeKamalDeployId({ service, destination });
  const endedDeploy = async (): Promise<string> => {
    const { rows } = await fixture.pool.query<{ deploy_id: string }>(
      'select deploy_id from yardmaster.deploy where ended_at is not null limit 1',
    );
    return rows[0]?.deploy_id ?? '';
  };

  test('of a deploy of ours that has ended is taken over', async () => {
    await lockWith(makeLockMessage({ installation: 'test-yard', workflowId, deployId: await endedDeploy() }));
    expect(await play([])).toMatchObject({ outcome: 'succeeded' });
    expect(await fixture.rest()).toEqual(v2Everywhere);
  });

  test('of another installation is not, whatever deploy it names', async () => {
    await lockWith(makeLockMessage({ installation: 'other-yard', workflowId, deployId: await endedDeploy() }));
    const deploy = await play([]);
    const holder = await fixture.lockHolder();
    await release();
    expect(deploy.outcome).toBe('refused');
    expect(holder).toContain('other-yard');
    expect(await fixture.rest()).toEqual(v1Everywhere);
  });

  test('of somebody else refuses the deploy before its image is pulled under the feet of whoever holds it', async () => {
    await lockWith('freeze until Monday');
    const { deployId, handle } = await fixture.deploy({ version: 'v2' });
    expect(await handle.result()).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('freeze until Monday') as string });
    expect((await fixture.lines(deployId)).filter(({ line }) => line.startsWith('$ kamal build pull'))).toEqual([]);
    await release();
  });

  test('that somebody takes after our preflight is theirs, and nothing is touched', async () => {
    const gate = makeGate();
    await fixture.kamal.misbehave({ on: 'lock acquire', times: 1, do: { untilFile: gate.file } });
    const { deployId, handle } = await fixture.deploy({ version: 'v2' });
    await fixture.untilPhase(deployId, 'lock');
    await until(async () => (await fixture.kamal.steps()).at(-1)?.command.join(' ').startsWith('lock acquire'), {
      what: 'Kamal takes the lock',
      timeoutMs: 60_000,
    });
    await lockWith('mine');
    gate.open();
    const deploy = await handle.result();
    await release();
    expect(deploy).toMatchObject({ outcome: 'refused', hosts: [{ state: 'held' }, { state: 'held' }] });
    expect(deploy.detail).toMatch(/held by .*mine/);
    expect(await fixture.rest()).toEqual(v1Everywhere);
  });
});

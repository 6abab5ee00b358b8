import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { DeployPhase, DeployView } from '../../src/contracts/deploy';
import { limits } from '../../src/contracts/limits';
import { cancelDeploySignal, type KamalDeployInput } from '../../src/contracts/messages';
import { withKamalFixture } from '../support/kamal-fixture';
import { withTemporal } from '../support/temporal';
import {
  addSearchAttributes,
  destination,
  getDeploy,
  startDeploy,
  startTestDeployer,
  untilDeployIsAt,
  type TestDeployer,
} from '../support/test-deployer';
import { until } from '../support/until';

/** The workflow over the real Kamal: two hosts with sshd, containers and a registry. Each story begins with what the one before it left. */
const made = withKamalFixture({ versions: ['v1', 'v2', 'v3'], timeScale: 0.1 });
const temporal = withTemporal();
let deployer: TestDeployer;

/** Some forty commands of Kamal: half a minute, and many times that where others use the machine too. */
jest.setTimeout(900_000);

beforeAll(async () => {
  await made.testbed.push('dying', { broken: 'exits' });
  await addSearchAttributes(temporal);
  deployer = await startDeployer();
});

afterAll(async () => await deployer.stop());

const startDeployer = async (): Promise<TestDeployer> =>
  await startTestDeployer({
    pool: made.pool,
    temporal,
    testbed: made.testbed,
    limits: { ...limits, deployVerifyMs: 60_000, deployVerifyEveryMs: 250, deployCompensateRetryMs: 1_000 },
  });

/** What a story that failed has left. */
afterEach(async () => {
  for (const host of made.testbed.hosts) await host.startSsh();
});

const phaseWithinMs = 400_000;

const start = async (input: Partial<KamalDeployInput>) => await startDeploy(temporal.client, input);
const finish = async (input: Partial<KamalDeployInput>): Promise<DeployView> => await (await start(input)).handle.result();

/** Names and states of all containers, which tell a restart of none and a start of any other version. */
const containers = async () => await Promise.all(made.testbed.hosts.map(async (host) => await host.containers()));
const lockHolder = async (): Promise<string | null> => (await made.testbed.hosts[0]?.lockHolder(destination)) ?? null;
const stateDir = (): string => path.join(made.testbed.configDir, '../state');

/** What is left when a deploy has ended: what runs, lock, holds, and private directories with the pid files of what still runs. */
const rest = async () => ({
  versions: await Promise.all(made.testbed.hosts.map(async (host) => await host.runningVersions())),
  lock: await lockHolder(),
  holds: (await made.pool.query('select from yardmaster.host_hold')).rowCount,
  left: await readdir(stateDir()).catch(() => []),
});
const restWith = (version: string, more: object = {}) => ({
  versions: [1, 2].map(() => ({ web: version, workers: version })),
  lock: null,
  holds: 0,
  left: [],
  ...more,
});

const commandsOf = async (deployId: string): Promise<string[]> => {
  const { rows } = await made.pool.query<{ line: string }>(
    `select line from yardmaster.deploy_log where deploy_id = $1 and line like '$ kamal %' order by seq`,
    [deployId],
  );
  return rows.map(({ line }) => line.slice('$ kamal '.length));
};

const refusedFor = async (input: Partial<KamalDeployInput>, check: string): Promise<DeployView> => {
  const before = await containers();
  const deploy = await finish(input);
  expect(deploy.outcome).toBe('refused');
  expect(deploy.checks.filter(({ isOk }) => !isOk).map((each) => each.check)).toEqual([check]);
  expect(await containers()).toEqual(before);
  const touching = /^(app st|deploy |lock (acquire|release))/;
  expect((await commandsOf(deploy.deployId)).filter((command) => touching.test(command))).toEqual([]);
  return deploy;
};

const untilBooting = async (version: string): Promise<void> => {
  const isThere = async (): Promise<boolean> =>
    (await containers()).flat().some((each) => each.version === version && each.state === 'running');
  await until(isThere, { what: `a container of ${version} runs`, timeoutMs: phaseWithinMs });
};

/** The commands that run for it, by the files which tell a later deployer what to end. */
const killKamal = async (deployId: string): Promise<number> => {
  const dir = path.join(stateDir(), deployId);
  const pids: number[] = [];
  for (const file of await readdir(dir, { recursive: true })) {
    if (!/groups\/[^/]+$/.test(file) || file.endsWith('.new')) continue;
    const { pid } = JSON.parse(await readFile(path.join(dir, file), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    pids.push(pid);
  }
  return pids.length;
};

test('a first deploy ends verified on both hosts', async () => {
  const deploy = await finish({ version: 'v1' });
  expect(deploy).toMatchObject({ outcome: 'succeeded', resolvedVersion: 'v1', disagreements: [] });
  expect(deploy.hosts).toMatchObject([1, 2].map(() => ({ state: 'verified', versionBefore: null, versionNow: 'v1' })));
  expect(await rest()).toEqual(restWith('v1'));
});

test('the next version goes to the canary first', async () => {
  const deploy = await finish({ version: 'v2', strategy: { canaryHosts: 1, soakSeconds: 1 } });
  expect(deploy).toMatchObject({ outcome: 'succeeded', disagreements: [] });
  expect(deploy.hosts.map(({ batch, versionBefore }) => [batch, versionBefore])).toEqual([
    [0, 'v1'],
    [1, 'v1'],
  ]);
  const [canary, other] = deploy.hosts.map(({ host }) => host);
  const order = (await commandsOf(deploy.deployId)).filter((command) => /^(app stop|deploy) /.test(command));
  expect(order).toEqual([`app stop on ${canary}`, `deploy v2 on ${canary}`, `app stop on ${other}`, `deploy v2 on ${other}`]);
  expect(await rest()).toEqual(restWith('v2'));
});

test('an image that is not there refuses the deploy, and nothing is touched', async () => {
  await refusedFor({ version: 'v99' }, 'version');
  expect(await rest()).toEqual(restWith('v2'));
});

test('an unknown version refuses a rollback, to which Kamal itself would say exit 0', async () => {
  await refusedFor({ version: 'v77', kind: 'rollback' }, 'version');
  expect(await rest()).toEqual(restWith('v2'));
});

test('a lock that somebody else holds refuses it, and is left alone', async () => {
  await made.testbed.kamal('lock', 'acquire', '-m', 'freeze until Monday', '-d', destination);
  const deploy = await refusedFor({ version: 'v3' }, 'lock');
  expect(deploy.detail).toContain('freeze until Monday');
  expect(await lockHolder()).toContain('freeze until Monday');
  await made.testbed.kamal('lock', 'release', '-d', destination);
  expect(await rest()).toEqual(restWith('v2'));
});

test('a host that is down refuses it by its name', async () => {
  const host = made.testbed.hosts[1]!;
  await host.stopSsh();
  const deploy = await refusedFor({ version: 'v3' }, 'ssh');
  await host.startSsh();
  expect(deploy.detail).toContain(`ssh on ${host.ip}`);
  expect(await rest()).toEqual(restWith('v2'));
});

test('an image that dies is followed by the version before, verified', async () => {
  const deploy = await finish({ version: 'dying', strategy: { canaryHosts: 1 } });
  expect(deploy).toMatchObject({ outcome: 'rolled_back', direction: 'back' });
  expect(deploy.hosts).toMatchObject([{ state: 'put_back', versionNow: 'v2' }, { state: 'held' }]);
  expect(await rest()).toEqual(restWith('v2'));
});

test('a rollback is a deploy of the older version', async () => {
  const deploy = await finish({ version: 'v1', kind: 'rollback' });
  expect(deploy).toMatchObject({ kind: 'rollback', outcome: 'succeeded' });
  expect(deploy.hosts.map(({ versionBefore, versionNow }) => [versionBefore, versionNow])).toEqual([
    ['v2', 'v1'],
    ['v2', 'v1'],
  ]);
  expect(await rest()).toEqual(restWith('v1'));
});

test('a cancel while a version boots puts the one before back', async () => {
  const { deployId, handle } = await start({ version: 'v3' });
  await untilBooting('v3');
  expect((await getDeploy(made.pool, deployId)).phase).toBe('deploy');
  await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe', reason: 'a test' });
  expect(await handle.result()).toMatchObject({ outcome: 'rolled_back', cancelRequestedBy: 'zoe' });
  expect(await rest()).toEqual(restWith('v1'));
});

test('a person who takes the lock while the canary is verified stops the deploy; it goes on when he gives it back', async () => {
  const { deployId, handle } = await start({ version: 'v3', strategy: { canaryHosts: 1, soakSeconds: 20 } });
  await untilDeployIsAt(made.pool, deployId, 'soak', phaseWithinMs);
  // Nobody goes on while he does it, and the deployer that takes over finds it done.
  await deployer.stop();
  await made.testbed.kamal('lock', 'release', '-d', destination);
  await made.testbed.kamal('lock', 'acquire', '-m', 'an urgent fix', '-d', destination);
  deployer = await startDeployer();
  const isStanding = async (): Promise<boolean> =>
    (await getDeploy(made.pool, deployId)).standstill?.detail.includes('an urgent fix') ?? false;
  await until(isStanding, { what: 'the deploy stands still', timeoutMs: phaseWithinMs });
  expect((await rest()).versions).toEqual(['v3', 'v1'].map((version) => ({ web: version, workers: version })));
  expect(await lockHolder()).toContain('an urgent fix');
  await made.testbed.kamal('lock', 'release', '-d', destination);
  expect(await handle.result()).toMatchObject({ outcome: 'succeeded', standstill: null });
  expect(await rest()).toEqual(restWith('v3'));
});

test('the sshd of the second host goes away while its version boots: the canary keeps the new one, and that host is named', async () => {
  const [canary, other] = made.testbed.hosts;
  const { handle } = await start({ version: 'v1', strategy: { canaryHosts: 1 } });
  const isBooting = async (): Promise<boolean> =>
    (await other!.containers()).some((each) => each.version === 'v1' && each.state === 'running');
  await until(isBooting, { what: 'the second host boots v1', timeoutMs: phaseWithinMs });
  await other!.stopSsh();
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'broken', hosts: [{ state: 'verified', versionNow: 'v1' }, { state: 'failed' }] });
  expect(deploy.hosts[1]?.detail).toContain('ECONNREFUSED');
  expect(await canary!.runningVersions()).toEqual({ web: 'v1', workers: 'v1' });
  expect(await lockHolder()).toBeNull();
  const { rows } = await made.pool.query<{ host: string }>('select host from yardmaster.host_hold');
  expect(rows).toEqual([{ host: other!.ip }]);
  // As the person does whom it calls.
  await other!.startSsh();
  await made.pool.query('delete from yardmaster.host_hold');
  expect(await finish({ version: 'v1' })).toMatchObject({ outcome: 'succeeded' });
  expect(await rest()).toEqual(restWith('v1'));
});

/** The command of Kamal that runs when it is killed. While hosts are held and drained none runs. */
const killedAt = {
  preflight: /^build pull/,
  lock: /^lock acquire/,
  stop: /^app stop/,
  deploy: /^deploy /,
  verify: /^app version/,
  compensate: /^app start/,
  release: /^lock release/,
} as const;

test.each(Object.entries(killedAt) as [DeployPhase, RegExp][])(
  'Kamal is killed at %s: what runs then is one version everywhere, the one that the result names',
  async (phase, command) => {
    const before = (await made.testbed.hosts[0]?.runningVersion()) ?? 'none';
    const version = phase === 'compensate' ? 'dying' : before === 'v1' ? 'v3' : 'v1';
    const { deployId, handle } = await start({ version });
    await untilDeployIsAt(made.pool, deployId, phase, phaseWithinMs);
    if (phase === 'deploy') await untilBooting(version);
    const isThere = async (): Promise<boolean> => command.test((await commandsOf(deployId)).at(-1) ?? '');
    await until(isThere, { what: `Kamal runs ${command.source}`, timeoutMs: phaseWithinMs });
    await until(async () => (await killKamal(deployId)) > 0, { what: 'Kamal is killed', timeoutMs: phaseWithinMs });
    const deploy = await handle.result();
    // A check that was cut off may be asked again, host by host.
    expect(deploy.outcome).toMatch(phase === 'preflight' ? /^(refused|succeeded)$/ : /^(refused|succeeded|rolled_back)$/);
    const named = deploy.outcome === 'succeeded' ? version : before;
    expect(deploy.hosts.map(({ versionNow }) => versionNow ?? before)).toEqual([named, named]);
    expect(await rest()).toEqual(restWith(named));
  },
);

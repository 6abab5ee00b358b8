import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { withKamalFixture } from '../support/kamal-fixture';
import { until } from '../support/until';

/** What a deploy that is killed leaves behind, seen at the real program (kamal §4). One host: it is quicker. */
const made = withKamalFixture({ hosts: 1 });
const deployWithinMs = 120_000;

afterEach(async () => {
  await made.testbed.hosts[0]?.startSsh();
  await made.testbed.kamal('lock', 'release', '-d', 'staging');
});

/** Where it has come to is seen on the host: its lines come in bursts. */
const startDeploy = (version: string) => {
  const { testbed } = made;
  const child = spawn(testbed.kamalBin, ['deploy', '-P', '-d', 'staging', '--version', version], {
    cwd: testbed.configDir,
    env: testbed.kamalEnv,
    stdio: 'ignore',
  });
  return { child, exited: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]> };
};

const host = () => made.testbed.hosts[0]!;

test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
  'the lock of a deploy is left behind by %s, and anybody may release it',
  async (signal) => {
    const { child, exited } = startDeploy('v1');
    await until(async () => await host().lockHolder('staging'), { what: 'the deploy holds the lock', timeoutMs: deployWithinMs });
    child.kill(signal);
    const [code, by] = await exited;
    expect(by ?? code).not.toBe(0);
    expect(await host().lockHolder('staging')).toContain('Message: Automatic deploy lock');
    expect(await made.testbed.kamal('lock', 'release', '-d', 'staging')).toMatchObject({ code: 0 });
    expect(await host().lockHolder('staging')).toBeNull();
  },
);

test('a container that a killed deploy has started goes on', async () => {
  expect(await made.testbed.kamal('app', 'stop', '-d', 'staging')).toMatchObject({ code: 0 });
  const { child, exited } = startDeploy('v2');
  await until(async () => (await host().runningVersions()).web === 'v2', { what: 'the first container runs', timeoutMs: deployWithinMs });
  child.kill('SIGKILL');
  await exited;
  expect(await host().runningVersions()).toEqual({ web: 'v2' });
});

test('a host that cannot be reached is told, with its name', async () => {
  await host().stopSsh();
  const { code, output } = await made.testbed.kamal('app', 'version', '-q', '-d', 'staging');
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringContaining(`ERROR (Errno::ECONNREFUSED): Exception while executing on host ${host().ip}`),
  });
});

test('a deploy whose connections are cut fails, and keeps the lock that it can no longer drop', async () => {
  await made.testbed.kamal('app', 'stop', '-d', 'staging');
  const { exited } = startDeploy('v1');
  await until(async () => await host().lockHolder('staging'), { what: 'the deploy holds the lock', timeoutMs: deployWithinMs });
  await host().stopSsh();
  expect(await exited).toEqual([1, null]);
  expect(await host().lockHolder('staging')).toContain('Automatic deploy lock');
});

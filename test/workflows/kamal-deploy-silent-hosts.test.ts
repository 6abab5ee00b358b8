import type { DeployStrategy, DeployView } from '../../src/contracts/deploy';
import { makeLookAtDestinationId } from '../../src/contracts/ids';
import { cancelDeploySignal, taskQueues, workflowNames, type LookAtDestinationResult } from '../../src/contracts/messages';
import { destination, withDeployFixture, type DeployHandle } from '../support/deploy-fixture';
import { makeGate } from '../support/gate';
import { until } from '../support/until';

jest.setTimeout(180_000);

const fixture = withDeployFixture();
const [first = '', second = ''] = fixture.hosts;

beforeEach(async () => await fixture.reset('v1'));

const untilBooting = async (host: string): Promise<void> => {
  const isBooting = async (): Promise<boolean> => {
    const last = (await fixture.kamal.steps()).at(-1);
    return last?.step === 'boot' && last.hosts?.includes(host) === true;
  };
  await until(isBooting, { what: `Kamal boots ${host}`, timeoutMs: 60_000 });
};

/** A deploy whose hosts boot one after the other, each only when `act` has happened. */
const whileBooting = async (
  strategy: Partial<DeployStrategy>,
  acts: readonly { host: string; act: (started: DeployHandle) => Promise<void> }[],
): Promise<DeployHandle> => {
  const gates = acts.map(() => makeGate());
  const holdAt = async (index: number): Promise<void> => {
    const gate = gates[index];
    await fixture.kamal.misbehave(
      ...(gate === undefined ? [] : [{ on: 'deploy', at: 'boot' as const, times: 1, do: { untilFile: gate.file } }]),
    );
  };
  await holdAt(0);
  const started = await fixture.deploy({ version: 'v2', strategy });
  for (const [index, { host, act }] of acts.entries()) {
    await untilBooting(host);
    await act(started);
    await holdAt(index + 1);
    gates[index]?.open();
  }
  return started;
};

const stopSsh = (host: string) => async (): Promise<void> => await fixture.kamal.host(host).stopSsh();
const nothing = async (): Promise<void> => await Promise.resolve();

/** The canary is verified, and the sshd of the other host goes away in the middle of its `kamal deploy`. */
const loseSecondHost = async (strategy: Partial<DeployStrategy> = {}): Promise<DeployHandle> =>
  await whileBooting({ canaryHosts: 1, ...strategy }, [
    { host: first, act: nothing },
    { host: second, act: stopSsh(second) },
  ]);

const statesOf = ({ hosts }: DeployView): string[] => hosts.map(({ state }) => state);
/** Commands that were about this host, by what they did to it. */
const commandsOn = async (host: string, name: string): Promise<number> =>
  (await fixture.kamal.steps()).filter(
    ({ command, step, hosts }) => step === 'start' && command.join(' ').startsWith(name) && hosts?.includes(host),
  ).length;
const holds = async (): Promise<{ host: string; holder: string }[]> =>
  (await fixture.pool.query<{ host: string; holder: string }>('select host, holder from yardmaster.host_hold order by host')).rows;

test('a healthy canary goes on when the next host cannot be reached any more; that one is named and stays held', async () => {
  const { deployId, handle } = await loseSecondHost();
  const stopped = await commandsOn(first, 'app stop');
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'broken', direction: 'back' });
  expect(statesOf(deploy)).toEqual(['verified', 'failed']);
  expect(deploy.detail).toMatch(
    new RegExp(`^neither v2 nor v1 is verified on ${second} \\(.*Connection refused.*; v2 stays on ${first}, verified`, 's'),
  );
  expect(deploy.hosts[1]?.detail).toContain('Connection refused');
  expect(await fixture.rest()).toEqual({ versions: ['v2', null], lock: null, holds: [second] });
  expect(await holds()).toEqual([{ host: second, holder: 'person' }]);
  expect(await commandsOn(first, 'app stop')).toBe(stopped);
  const { rows } = await fixture.pool.query<{ detail: object }>(
    `select detail from yardmaster.audit where act = 'deploy_ended' and subject = $1`,
    [deployId],
  );
  expect(rows).toEqual([{ detail: expect.objectContaining({ needHelp: second }) as object }]);
  const said = (await fixture.lines(deployId)).filter(({ stream }) => stream === 'yardmaster').map(({ line }) => line);
  expect(said).toContainEqual(`${first}: v2 is verified there and stays, since not every host can be helped`);
});

test('a deploy that is told to puts the version before back also where the new one is verified', async () => {
  const { handle } = await loseSecondHost({ onMixedFleet: 'put_back' });
  const deploy = await handle.result();
  expect(deploy.outcome).toBe('broken');
  expect(statesOf(deploy)).toEqual(['put_back', 'failed']);
  expect(await fixture.rest()).toEqual({ versions: ['v1', null], lock: null, holds: [second] });
});

test('a person who cancelled wants the version before, whatever a mixed fleet would keep', async () => {
  const { handle } = await whileBooting({ canaryHosts: 1 }, [
    { host: first, act: nothing },
    {
      host: second,
      act: async ({ deployId, handle: running }) => {
        await stopSsh(second)();
        await running.signal(cancelDeploySignal, { deployId, actor: 'zoe' });
        await fixture.untilPhase(deployId, 'compensate');
      },
    },
  ]);
  const deploy = await handle.result();
  expect(statesOf(deploy)).toEqual(['put_back', 'failed']);
  expect(await fixture.rest()).toEqual({ versions: ['v1', null], lock: null, holds: [second] });
});

test('no host of a batch is stopped when one of them cannot be reached', async () => {
  const stopped = await commandsOn(second, 'app stop');
  const { handle } = await whileBooting({ canaryHosts: 1 }, [{ host: first, act: stopSsh(second) }]);
  const deploy = await handle.result();
  expect(statesOf(deploy)).toEqual(['verified', 'failed']);
  expect(await fixture.rest()).toEqual({ versions: ['v2', 'v1'], lock: null, holds: [second] });
  expect(await commandsOn(second, 'app stop')).toBe(stopped);
});

test('a host that can be reached again in time is put back like the others', async () => {
  fixture.setLimits({ deployCompensateTries: 200 });
  const { deployId, handle } = await loseSecondHost();
  const isTriedAgain = async (): Promise<boolean> =>
    (await fixture.lines(deployId)).some(({ line }) => line.startsWith('not all are back; tries again'));
  await until(isTriedAgain, { what: 'the way back has tried once', timeoutMs: 60_000 });
  expect((await fixture.getDeploy(deployId)).hosts[0]).toMatchObject({ state: 'verified' });
  await fixture.kamal.host(second).startSsh();
  const deploy = await handle.result();
  expect({ outcome: deploy.outcome, ...(await fixture.rest()) }).toEqual({
    outcome: 'rolled_back',
    versions: ['v1', 'v1'],
    lock: null,
    holds: [],
  });
});

test('of two hosts that were stopped together the one that answers is put back', async () => {
  const { handle } = await whileBooting({}, [{ host: second, act: stopSsh(second) }]);
  const deploy = await handle.result();
  expect(deploy.outcome).toBe('broken');
  expect(statesOf(deploy)).toEqual(['put_back', 'failed']);
  expect(await fixture.rest()).toEqual({ versions: ['v1', null], lock: null, holds: [second] });
});

test('the host that carries the lock goes away: the others are put back all the same', async () => {
  const { deployId, handle } = await whileBooting({}, [{ host: first, act: stopSsh(first) }]);
  const deploy = await handle.result();
  expect(deploy.outcome).toBe('broken');
  expect(statesOf(deploy)).toEqual(['failed', 'put_back']);
  expect(deploy.detail).toContain('the lock is left behind');
  expect((await fixture.lines(deployId)).map(({ line }) => line)).toContainEqual(
    expect.stringMatching(/^the lock could not be looked at: .* goes on without/s),
  );
  expect((await fixture.rest()).versions).toEqual([null, 'v1']);
  expect(await holds()).toEqual([{ host: first, holder: 'person' }]);
  await fixture.kamal.host(first).startSsh();
  await fixture.kamal.kamal('lock', 'release', '-d', 'staging');
});

test('an inspection and an audit tell of the hosts that answer', async () => {
  const look = async (want: 'state' | 'audit'): Promise<LookAtDestinationResult> =>
    await fixture.client.workflow.execute(workflowNames.lookAtDestination, {
      workflowId: makeLookAtDestinationId({ destination, want }),
      taskQueue: taskQueues.deploy,
      args: [{ destination, want }],
    });
  await fixture.kamal.host(second).stopSsh();
  const seen = await look('state');
  if (seen.want !== 'state') throw new Error(`it saw ${seen.want}`);
  expect(seen.state.hosts).toMatchObject([
    { host: first, version: 'v1' },
    { host: second, version: null },
  ]);
  expect(seen.state.problem).toMatch(new RegExp(`^${second}: its version could not be read: .*Connection refused`, 's'));
  const audit = await look('audit');
  expect(audit.want === 'audit' ? audit.audit.map(({ text }) => text) : []).toContain('Booted app version v1');
});

test('a preflight names the host that cannot be reached, and says that the other answers', async () => {
  await fixture.kamal.host(second).stopSsh();
  const { handle } = await fixture.deploy({ version: 'v2' });
  const deploy = await handle.result();
  expect(deploy.outcome).toBe('refused');
  expect(deploy.checks.filter(({ check }) => check === 'ssh')).toMatchObject([
    { host: first, isOk: true },
    { host: second, isOk: false },
  ]);
  expect(await fixture.rest()).toEqual({ versions: ['v1', 'v1'], lock: null, holds: [] });
});

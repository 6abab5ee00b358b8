import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { DeployStrategy, DeployView } from '../../src/contracts/deploy';
import { failureTypes } from '../../src/contracts/errors';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { approveSignal, deployStatusQuery, rejectSignal, taskQueues, workflowNames } from '../../src/contracts/messages';
import { destination, service, withDeployFixture } from '../support/deploy-fixture';

jest.setTimeout(180_000);

const fixture = withDeployFixture();

const deployed = async (version: string, strategy: Partial<DeployStrategy> = {}): Promise<DeployView> => {
  const { handle } = await fixture.deploy({ version, strategy });
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'succeeded', detail: expect.stringContaining(version) as string });
  return deploy;
};

const checkOf = (deploy: DeployView, check: string): boolean[] =>
  deploy.checks.filter((each) => each.check === check).map(({ isOk }) => isOk);

beforeEach(async () => await fixture.kamal.misbehave());

test('a first deploy goes canary first, ends verified everywhere, and leaves neither lock nor hold', async () => {
  await fixture.kamal.kamal('app', 'stop', '-d', destination);
  const { deployId, handle } = await fixture.deploy({ version: 'v1', strategy: { canaryHosts: 1 } });
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ deployId, outcome: 'succeeded', phase: 'done', direction: 'forward', resolvedVersion: 'v1' });
  expect(deploy.hosts).toMatchObject([
    { host: fixture.hosts[0], batch: 0, state: 'verified', versionBefore: null, versionNow: 'v1' },
    { host: fixture.hosts[1], batch: 1, state: 'verified', versionBefore: null, versionNow: 'v1' },
  ]);
  expect(deploy.disagreements).toEqual([]);
  expect(await fixture.versions()).toEqual(['v1', 'v1']);
  expect(await fixture.lockHolder()).toBeNull();
  expect((await fixture.pool.query('select from yardmaster.host_hold')).rowCount).toBe(0);
  const { rows } = await fixture.pool.query<{ status: string }>('select distinct status from gh_worker_registry');
  expect(rows).toEqual([{ status: 'active' }]);
});

test('its log is numbered without a gap, tells each phase as ours and each line of Kamal as Kamal’s', async () => {
  const { deployId } = await deployed('v2', { canaryHosts: 1 });
  const lines = await fixture.lines(deployId);
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_line, index) => index + 1));
  const ours = lines.filter(({ stream }) => stream === 'yardmaster').map(({ line }) => line);
  const phases = ours.flatMap((line) => /^→ (\w+)/.exec(line)?.[1] ?? []);
  expect(phases).toEqual(['hold', 'drain', 'lock', 'stop', 'deploy', 'verify', 'stop', 'deploy', 'verify', 'release']);
  expect(ours.at(-1)).toMatch(/^succeeded: v2 runs on/);
  expect(lines.some(({ stream, line }) => stream === 'stdout' && line.includes('Running'))).toBe(true);
  expect((await fixture.getDeploy(deployId)).lastSeq).toBe(lines.length);
});

test('its own log names a secret that is too short to be hidden in it', async () => {
  const { secrets } = fixture.kamal;
  const whole = { ...secrets };
  await fixture.stopDeployer();
  secrets.DATABASE_URL = 'tiny';
  await fixture.startDeployer();
  try {
    const { deployId } = await deployed('v1');
    const ours = (await fixture.lines(deployId)).filter(({ stream }) => stream === 'yardmaster').map(({ line }) => line);
    expect(ours).toContainEqual(expect.stringMatching(/^✓ secrets: .* too short to be hidden in this log: DATABASE_URL \(/));
  } finally {
    Object.assign(secrets, whole);
    await fixture.stopDeployer();
    await fixture.startDeployer();
  }
});

test('the lock is taken after the drain, names us, and every later step runs under it', async () => {
  await fixture.reset('v0');
  await deployed('v1');
  const steps = (await fixture.kamal.steps()).filter(({ step }) => step === 'start').map(({ command }) => command.slice(0, 2).join(' '));
  const from = steps.lastIndexOf('lock acquire');
  expect(steps.slice(from).filter((command) => command.startsWith('lock acquire'))).toHaveLength(1);
  expect(steps.slice(from).filter((command) => command === 'app stop' || command.startsWith('deploy'))).toHaveLength(2);
  expect(steps.lastIndexOf('lock release')).toBeGreaterThan(steps.lastIndexOf('app stop'));
  const { rows } = await fixture.pool.query<{ line: string }>(
    `select line from yardmaster.deploy_log where line like '%lock%' order by at desc limit 50`,
  );
  expect(rows.length).toBeGreaterThan(0);
});

test('operators see it: attributes, details and the answer to a query', async () => {
  const { deployId, handle } = await fixture.deploy({ version: 'v2', dryRun: true, actor: 'zoe' });
  await handle.result();
  expect(await handle.query(deployStatusQuery)).toMatchObject({ deployId, outcome: 'planned' });
  const { typedSearchAttributes } = await handle.describe();
  const shown = Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
  expect(shown).toMatchObject({ State: 'done', Outcome: 'planned', Destination: destination, Version: 'v2', Actor: 'zoe' });
});

test('a dry run touches nothing and says what it would do', async () => {
  const before = await fixture.versions();
  const stepsBefore = (await fixture.kamal.steps()).length;
  const { handle } = await fixture.deploy({ version: 'v3', dryRun: true, strategy: { canaryHosts: 0, batchHosts: 1 } });
  const deploy = await handle.result();
  expect(deploy).toMatchObject({ outcome: 'planned', resolvedVersion: 'v3' });
  expect(deploy.hosts.map(({ batch, state }) => [batch, state])).toEqual([
    [0, 'waiting'],
    [1, 'waiting'],
  ]);
  expect(deploy.checks.length).toBeGreaterThan(6);
  expect(deploy.checks.filter(({ isOk }) => !isOk)).toEqual([]);
  expect(await fixture.versions()).toEqual(before);
  const run = (await fixture.kamal.steps()).slice(stepsBefore).map(({ command }) => command.slice(0, 2).join(' '));
  expect(run.filter((command) => /app st|deploy|lock (acquire|release)/.test(command))).toEqual([]);
});

test('a moving tag is resolved to the immutable one of the same digest', async () => {
  await fixture.kamal.push('staging-4f1c2d3');
  await fixture.kamal.tagMoving('staging', 'staging-4f1c2d3');
  const { handle } = await fixture.deploy({ version: 'staging' });
  expect(await handle.result()).toMatchObject({ version: 'staging', resolvedVersion: 'staging-4f1c2d3', outcome: 'succeeded' });
  expect(await fixture.versions()).toEqual(['staging-4f1c2d3', 'staging-4f1c2d3']);
});

test('a rollback is the same with an older version', async () => {
  await fixture.reset('v3');
  const { handle } = await fixture.deploy({ version: 'v1', kind: 'rollback', reason: 'v3 is bad' });
  expect(await handle.result()).toMatchObject({ kind: 'rollback', outcome: 'succeeded', reason: 'v3 is bad' });
  expect(await fixture.versions()).toEqual(['v1', 'v1']);
});

describe('refused, and nothing touched', () => {
  test.each<[what: string, check: string, prepare: () => Promise<{ version?: string; undo?: () => Promise<void> }>]>([
    ['a version that the registry does not have', 'version', async () => await Promise.resolve({ version: 'v99' })],
    [
      'a moving tag without an immutable one',
      'version',
      async () => {
        await fixture.kamal.push('latest');
        return { version: 'latest', undo: async () => await fixture.kamal.removeFromRegistry('latest') };
      },
    ],
    [
      'an image with the label of another service',
      'image',
      async () => {
        await fixture.kamal.push('v4', { wrongLabel: true });
        return { version: 'v4' };
      },
    ],
    [
      'a host that is down',
      'ssh',
      async () => {
        const host = fixture.kamal.host(fixture.hosts[1] ?? '');
        await host.stopSsh();
        return { version: 'v2', undo: async () => await host.startSsh() };
      },
    ],
    [
      'a lock that somebody else holds',
      'lock',
      async () => {
        await fixture.kamal.kamal('lock', 'acquire', '-m', 'freeze until Monday', '-d', destination);
        return { version: 'v2', undo: async () => void (await fixture.kamal.kamal('lock', 'release', '-d', destination)) };
      },
    ],
  ])('%s', async (_what, check, prepare) => {
    const before = await fixture.versions();
    const { version = 'v2', undo } = await prepare();
    const { handle } = await fixture.deploy({ version });
    const deploy = await handle.result();
    const holder = await fixture.lockHolder();
    await undo?.();
    expect(deploy.outcome).toBe('refused');
    expect(checkOf(deploy, check)).toContain(false);
    expect(deploy.detail).toContain(check);
    expect(await fixture.versions()).toEqual(before);
    expect(holder === null || holder.includes('freeze')).toBe(true);
  });
});

describe('an approval', () => {
  const strategy = { needsApproval: true };

  test('is waited for; everything is looked at again after it', async () => {
    const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy });
    await fixture.untilPhase(deployId, 'approval');
    await handle.signal(approveSignal, { deployId, actor: 'zoe' });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', approvedBy: 'zoe' });
    const lines = (await fixture.lines(deployId)).map(({ line }) => line);
    expect(lines.filter((line) => line.startsWith('✓ lock'))).toHaveLength(2);
  });

  test('of another deploy has no effect', async () => {
    const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { ...strategy, approvalSeconds: 3 } });
    await fixture.untilPhase(deployId, 'approval');
    await handle.signal(approveSignal, { deployId: randomUUID(), actor: 'zoe' });
    const deploy = await handle.result();
    expect(deploy).toMatchObject({ outcome: 'rejected', approvedBy: null });
    expect(deploy.detail).toContain('nobody approved it in time');
  });

  test('that is refused ends it', async () => {
    const before = await fixture.versions();
    const { deployId, handle } = await fixture.deploy({ version: 'v3', strategy });
    await fixture.untilPhase(deployId, 'approval');
    await handle.signal(rejectSignal, { deployId, actor: 'zoe', reason: 'not on a Friday' });
    expect(await handle.result()).toMatchObject({ outcome: 'rejected', detail: 'rejected by zoe: not on a Friday' });
    expect(await fixture.versions()).toEqual(before);
  });
});

describe('one at a time', () => {
  test('a second start of the same workflow is refused by its id', async () => {
    const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { needsApproval: true } });
    await expect(fixture.deploy({ version: 'v3' })).rejects.toThrow(/already started/i);
    await fixture.untilPhase(deployId, 'approval');
    await handle.signal(rejectSignal, { deployId });
    await handle.result();
  });

  test('one under the id of another destination, or with input that makes no sense, fails and writes no row', async () => {
    const start = async (workflowId: string, input: object): Promise<string> => {
      const running = fixture.client.workflow.execute(workflowNames.kamalDeploy, {
        workflowId,
        taskQueue: taskQueues.deploy,
        args: [input],
      });
      const error: unknown = await running.catch((caught: unknown) => caught);
      // The border of the workflow refuses what nobody can use, its first step what no destination has.
      const cause = error instanceof WorkflowFailedError ? error.cause : error;
      const failure = cause instanceof ApplicationFailure ? cause : cause instanceof Error ? cause.cause : cause;
      return failure instanceof ApplicationFailure ? (failure.type ?? '') : String(failure);
    };
    const count = async (): Promise<number | null> => (await fixture.pool.query('select from yardmaster.deploy')).rowCount;
    const before = await count();
    const id = makeKamalDeployId({ service, destination });
    expect(await start(id, { destination: 'nowhere', version: 'v1' })).toBe(failureTypes.invalidInput);
    expect(await start(id, { destination, version: 'v1; rm -rf /' })).toBe(failureTypes.invalidInput);
    expect(await start(id, { destination, version: 'v1', strategy: { canaryHosts: -1 } })).toBe(failureTypes.invalidInput);
    expect(await start('kamal-deploy-other-staging', { destination, version: 'v1', dryRun: true })).toBe(failureTypes.invalidInput);
    expect(await count()).toBe(before);
  });
});

test('started by hand without an id, it takes the id of its run', async () => {
  const handle = await fixture.client.workflow.start(workflowNames.kamalDeploy, {
    workflowId: makeKamalDeployId({ service, destination }),
    taskQueue: taskQueues.deploy,
    args: [{ destination, version: 'v2', dryRun: true }],
  });
  expect(await handle.result()).toMatchObject({ deployId: handle.firstExecutionRunId, actor: 'temporal', outcome: 'planned' });
});

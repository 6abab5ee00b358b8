import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { DeployStrategy, DeployView } from '../../src/contracts/deploy';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { projectRoot } from '../../src/project-root';
import { destination, service, withDeployFixture } from '../support/deploy-fixture';
import { until } from '../support/until';

jest.setTimeout(180_000);

/** The lines that the README gives operators for deploys, as a person types them. */
const linesOfReadme = (): string[] => {
  const readme = readFileSync(path.join(projectRoot(), 'README.md'), 'utf8');
  const block = /<!-- deploy-cli:start -->([\s\S]*?)<!-- deploy-cli:end -->/.exec(readme)?.[1] ?? '';
  return block.split('\n').filter((line) => line.startsWith('temporal '));
};

const fixture = withDeployFixture();
const workflowId = makeKamalDeployId({ service, destination });
let bin = '';

beforeAll(async () => {
  bin = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-cli-'));
  await symlink(process.env.TEST_TEMPORAL_CLI ?? '', path.join(bin, 'temporal'));
});
afterAll(async () => await rm(bin, { recursive: true, force: true }));

/** Exit code 0, or the test fails with what the CLI said. */
const type = async (line: string, deployId = ''): Promise<string> => {
  const { address, namespace } = fixture.temporal;
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    DEPLOY: deployId,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
  };
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line], { env, timeout: 120_000 });
  return `${stdout}${stderr}`;
};

const end = async (): Promise<DeployView> => (await fixture.client.workflow.getHandle(workflowId).result()) as DeployView;

const waiting = async (): Promise<string> => {
  const strategy: Partial<DeployStrategy> = { needsApproval: true };
  const { deployId } = await fixture.deploy({ version: 'v2', dryRun: false, strategy });
  await fixture.untilPhase(deployId, 'approval');
  return deployId;
};

const nothing = async (): Promise<string> => await Promise.resolve('');

interface Scenario {
  prepare(): Promise<string>;
  check(output: string, deployId: string, again: () => Promise<string>): Promise<unknown>;
}

const scenarios: [RegExp, Scenario][] = [
  [/kamalDeploy .*"dryRun":true/, { prepare: nothing, check: async () => expect(await end()).toMatchObject({ outcome: 'planned' }) }],
  [
    /kamalDeploy .*"kind":"rollback"/,
    { prepare: nothing, check: async () => expect(await end()).toMatchObject({ outcome: 'succeeded', kind: 'rollback', actor: 'zoe' }) },
  ],
  [
    /start --type kamalDeploy /,
    { prepare: nothing, check: async () => expect(await end()).toMatchObject({ outcome: 'succeeded', actor: 'zoe' }) },
  ],
  [
    /query .*--type status/,
    {
      prepare: waiting,
      async check(output, deployId) {
        await fixture.client.workflow.getHandle(workflowId).cancel();
        await end();
        expect(output).toContain(deployId);
      },
    },
  ],
  [
    /workflow describe/,
    {
      prepare: waiting,
      async check(output) {
        await fixture.client.workflow.getHandle(workflowId).cancel();
        await end();
        expect(output).toMatch(/kamalDeploy/);
      },
    },
  ],
  [
    /--name approve/,
    { prepare: waiting, check: async () => expect(await end()).toMatchObject({ outcome: 'succeeded', approvedBy: 'zoe' }) },
  ],
  [/--name reject/, { prepare: waiting, check: async () => expect(await end()).toMatchObject({ outcome: 'rejected' }) }],
  [
    /--name cancel/,
    { prepare: waiting, check: async () => expect(await end()).toMatchObject({ outcome: 'cancelled', cancelRequestedBy: 'zoe' }) },
  ],
  [
    /workflow cancel /,
    { prepare: waiting, check: async () => expect(await end()).toMatchObject({ outcome: 'cancelled', cancelRequestedBy: 'temporal' }) },
  ],
  [
    /workflow result /,
    {
      async prepare() {
        const { deployId, handle } = await fixture.deploy({ version: 'v99' });
        await handle.result();
        return deployId;
      },
      check: async (output, deployId) =>
        await Promise.resolve(expect(output).toMatch(new RegExp(`${deployId}[\\s\\S]*refused|refused[\\s\\S]*${deployId}`))),
    },
  ],
  [
    /workflow list /,
    {
      async prepare() {
        const { deployId, handle } = await fixture.deploy({ version: 'v3', dryRun: true });
        await handle.result();
        return deployId;
      },
      check: async (_output, _deployId, again) =>
        await until(async () => (await again()).includes(workflowId), { what: 'the list names it', everyMs: 500 }),
    },
  ],
  [
    /lookAtDestination/,
    {
      prepare: nothing,
      check: async () =>
        expect(await fixture.client.workflow.getHandle('look-at-destination-staging-state').result()).toMatchObject({
          state: { destination, lock: null, hosts: [{ version: 'v1' }, { version: 'v1' }] },
        }),
    },
  ],
  [
    /breakDeployLock/,
    {
      async prepare() {
        await fixture.kamal.kamal('lock', 'acquire', '-m', 'left by somebody', '-d', destination);
        return '';
      },
      async check() {
        expect(await fixture.client.workflow.getHandle('break-deploy-lock-staging').result()).toMatchObject({ kind: 'broken' });
        expect(await fixture.lockHolder()).toBeNull();
        const { rowCount } = await fixture.pool.query(`select from yardmaster.audit where act = 'lock_broken' and actor = 'zoe'`);
        expect(rowCount).toBe(1);
      },
    },
  ],
];

test.each(linesOfReadme())('%s', async (line) => {
  await fixture.reset(/rollback/.test(line) ? 'v2' : 'v1');
  const scenario = scenarios.find(([pattern]) => pattern.test(line))?.[1];
  if (scenario === undefined) throw new Error('The README has a line that no scenario of this test covers');
  const deployId = await scenario.prepare();
  const output = await type(line, deployId);
  expect(output).not.toMatch(/^Error/m);
  await scenario.check(output, deployId, async () => await type(line, deployId));
});

test.each(linesOfReadme().filter((line) => line.includes('--type kamalDeploy')))('fails where a deploy is under way: %s', async (line) => {
  const deployId = await waiting();
  try {
    await expect(type(line)).rejects.toThrow(/already/);
    expect(await fixture.getDeploy(deployId)).toMatchObject({ phase: 'approval' });
  } finally {
    await fixture.client.workflow.getHandle(workflowId).cancel();
    await end();
  }
});

test('the README has lines for every act on a deploy', () => {
  const lines = linesOfReadme().join('\n');
  expect(
    ['--type kamalDeploy', '--name approve', '--name reject', '--name cancel', '--type status'].filter((word) => !lines.includes(word)),
  ).toEqual([]);
});

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createDeployActivities } from '../../activities';
import { checkRecycleRegularly } from '../../activities/fleet/recycle';
import { limits } from '../../src/contracts/limits';
import { taskQueues } from '../../src/contracts/messages';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { createRedact } from '../../src/domain/redact';
import { sensitive } from '../../src/domain/sensitive';
import { createLog } from '../../src/log';
import { runChild } from '../../src/process/child';
import { createTunedWorker } from '../../workers/run-worker';
import { withDatabase } from '../support/database';
import { collectLines } from '../support/log-lines';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';
import type { recycleOnce } from '../fixtures/recycle-workflow';

// Before the first worker of the process, or never: the SDK keeps its first logger.
Runtime.install({ logger: new DefaultLogger('ERROR') });

const database = withDatabase({ variant: 'staging' });
const temporal = withTemporal();
const secret = 'correct-horse-battery';

let simulator: Simulator;
let connection: NativeConnection;
let caller: { queue: string; stop(): Promise<void> };
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'recycle-'));
  const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });
  const place = async (): Promise<object> => ({
    listenIp: '127.0.0.1',
    apiPort: await freePort(),
    statusPort: await freePort(),
    timeScale: 0.1,
  });
  simulator = await startSimulator({
    databaseUrl: database.databaseUrl,
    serviceSecret: 'test-service-secret',
    controlPort: 0,
    hosts: [
      { workerId: 'first', ip: '127.0.2.1', ...(await place()) },
      { workerId: 'second', ip: '127.0.2.2', ...(await place()) },
    ],
  });
  connection = await NativeConnection.connect({ address: temporal.address });
  caller = await startCaller();
});
afterAll(async () => {
  await caller.stop();
  await connection.close();
  await simulator.stop();
  rmSync(dir, { recursive: true });
});

it('replaces the process of the worker that was meant, and of no other', async () => {
  const before = { first: processOf('first'), second: processOf('second') };
  await withDeployer(restartSimulated(), async () => {
    expect(await recycle({ workerId: 'first' })).toEqual({
      kind: 'done',
      detail: expect.stringMatching(/^the command exited with 0 after /),
    });
  });
  expect(processOf('first')).toEqual(expect.any(String));
  expect(processOf('first')).not.toBe(before.first);
  expect(processOf('second')).toBe(before.second);
});

it('says that nothing is configured', async () => {
  await withDeployer(null, async () => {
    expect(await recycle({ workerId: 'first' })).toEqual({ kind: 'not_configured', detail: 'RECYCLE_COMMAND is not set for the deployer' });
  });
});

it('tells the exit code and the last line of a command that fails', async () => {
  await withDeployer(restartSimulated(), async () => {
    expect(await recycle({ workerId: 'nobody' })).toEqual({
      kind: 'failed',
      detail: expect.stringMatching(/^the command exited with 1 after \d+\.\d s: no host nobody$/),
    });
  });
});

it('tells no secret that a command prints, neither in the result nor in the log', async () => {
  const lines: string[] = [];
  const program = `console.error("cannot log in with ${secret}"); process.exit(7)`;
  await withDeployer(
    node(program),
    async () => {
      const { detail } = await recycle({ workerId: 'first' });
      expect(detail).toMatch(/^the command exited with 7 .*: cannot log in with \[redacted\]$/);
    },
    lines,
  );
  const ended = lines.find((line) => line.includes('A recycle command has ended'));
  expect(JSON.parse(ended ?? '{}')).toMatchObject({ level: 'warn', workerId: 'first', stderr: 'cannot log in with [redacted]\n' });
});

it('ends a command that hangs, with what it started', async () => {
  await withDeployer(node(stays, 1_500), async () => {
    expect(await recycle({ workerId: 'first' })).toMatchObject({
      kind: 'failed',
      detail: expect.stringMatching(/^the command did not end within 1.5 s/),
    });
  });
  expect(runningPids()).toEqual([]);
});

it('says that a program is not there', async () => {
  await withDeployer({ command: ['/nowhere/docker', '{host}'], timeoutMs: 5_000 }, async () => {
    expect(await recycle({ workerId: 'first' })).toMatchObject({
      kind: 'failed',
      detail: expect.stringContaining('could not be started (ENOENT)'),
    });
  });
});

it.each([
  ['process.exit(0)', 'checked', 'RECYCLE_CHECK_COMMAND: the command exited with 0'],
  ['console.error("no route to host"); process.exit(255)', 'check_failed', 'no route to host'],
])('tries its check at the start of a deployer: %s', async (program, state, detail) => {
  const stopping = new AbortController();
  const log = createLog({ level: 'error', process: 'test', destination: collectLines().destination });
  const check = { command: [process.execPath, '-e', program] as [string, ...string[]], env: { PATH: process.env.PATH ?? '' } };
  const { read } = checkRecycleRegularly(check, { log, limits, redact: createRedact([]), runCommand: runChild }, stopping.signal);
  expect(read()).toMatchObject({ state: 'unproven' });
  await until(() => read().state !== 'unproven', { what: 'it was tried' });
  stopping.abort();
  expect(read()).toMatchObject({ state, detail: expect.stringContaining(detail) });
});

it.each(['first; reboot', 'first"', '--all', '$(reboot)', 'first second'])(
  'starts nothing for a worker that calls itself %s',
  async (workerId) => {
    await withDeployer(node(stays), async () => {
      expect(await recycle({ workerId })).toEqual({ kind: 'failed', detail: '{workerId} is no plain value, so it becomes no argument' });
    });
    expect(runningPids()).toEqual([]);
  },
);

it('ends the command when the workflow is cancelled', async () => {
  await withDeployer(node(stays), async () => {
    const handle = await start({ workerId: 'first' });
    await until(() => runningPids().length === 1, { what: 'the command runs' });
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    await until(() => runningPids().length === 0, { what: 'the command is gone' });
  });
});

it('fails within seconds where no deployer runs, so that a cancel is not held up', async () => {
  const handle = await start({ workerId: 'first' });
  const failed = await handle.result().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(WorkflowFailedError);
}, 30_000);

type Recycle = { command: string[]; timeoutMs: number } | null;

const restartSimulated = (): Recycle => ({
  command: [
    process.execPath,
    path.join(projectRoot(), 'dev/gh/recycle-simulated-worker.mjs'),
    `http://127.0.0.1:${simulator.controlPort}`,
    '{workerId}',
  ],
  timeoutMs: 20_000,
});

const node = (program: string, timeoutMs = 20_000): Recycle => ({
  command: [process.execPath, '-e', program, path.join(dir, 'pids'), '{workerId}'],
  timeoutMs,
});

/** Ignores the graceful end. */
const stays = `process.on("SIGTERM", () => {}); require("node:fs").appendFileSync(process.argv[1], process.pid + "\\n"); setInterval(() => {}, 1000)`;

const runningPids = (): number[] => {
  const file = path.join(dir, 'pids');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number).filter(isAlive) : [];
};

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH.
    return false;
  }
};

/** The activities as workers/deployer.ts has them, on the true queue of this file's namespace. */
const withDeployer = async (recycleCommand: Recycle, work: () => Promise<void>, lines: string[] = []): Promise<void> => {
  const { destination } = collectLines(lines);
  const activities = createDeployActivities({
    deploys: null,
    log: createLog({ level: 'info', process: 'test', secrets: [sensitive(secret)], destination }),
    limits: { ...limits, commandKillAfterMs: 300, recycleHeartbeatMs: 200 },
    redact: createRedact([sensitive(secret)]),
    recycle: recycleCommand === null ? null : { ...recycleCommand, env: { PATH: process.env.PATH ?? '' } },
    runCommand: runChild,
    heartbeat: () => Context.current().heartbeat(),
    cancellation: () => Context.current().cancellationSignal,
  });
  const worker = await createTunedWorker({ connection, namespace: temporal.namespace, taskQueue: taskQueues.deploy, activities });
  await worker.runUntil(work);
};

const startCaller = async (): Promise<typeof caller> => {
  const ignore = (): void => {};
  const logger = { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: path.join(projectRoot(), 'test/fixtures/recycle-workflow.ts'), logger });
  const queue = temporal.unique('caller');
  const worker = await createTunedWorker({ connection, namespace: temporal.namespace, taskQueue: queue, activities: {}, workflowBundle });
  const running = worker.run();
  return {
    queue,
    async stop() {
      worker.shutdown();
      await running;
    },
  };
};

const start = async ({ workerId }: { workerId: string }): Promise<WorkflowHandle<typeof recycleOnce>> =>
  await temporal.client.workflow.start<typeof recycleOnce>('recycleOnce', {
    workflowId: temporal.unique('recycle'),
    taskQueue: caller.queue,
    args: [{ host: '127.0.2.1', workerId, instanceId: null, attemptId: temporal.unique('attempt') }],
  });

const recycle = async (input: { workerId: string }): ReturnType<typeof recycleOnce> => await (await start(input)).result();

/** When the worker's process started, by its own port. */
const processOf = (workerId: string): string | undefined => simulator.host(workerId).describe().worker?.processId;

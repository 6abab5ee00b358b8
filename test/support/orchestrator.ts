import { Context } from '@temporalio/activity';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { createDeployActivities, createOrchestratorActivities } from '../../activities';
import type { CommandDeps } from '../../activities/deps';
import type { CallbackBody } from '../../src/contracts/callback';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { taskQueues } from '../../src/contracts/messages';
import type { Observe } from '../../src/contracts/observations';
import type { CallbackReply } from '../../src/domain/callback-answer';
import { createHostClient, type HostAddressMap } from '../../src/ghosthands/client';
import { createLog, type Log } from '../../src/log';
import type { Sensitive } from '../../src/domain/sensitive';
import { startAssigner } from '../../workers/assigner';
import { listenForRowCommands } from '../../workers/row-command-listener';
import { createTunedWorker } from '../../workers/run-worker';
import { createWorkflowsPort } from '../../workers/workflows-port';
import { workflowBundle } from './workflow-bundle';

export interface OrchestratorOptions {
  pool: Pool;
  address: string;
  namespace: string;
  client: Client;
  taskQueue: string;
  callbackBaseUrl: string;
  addressMap?: HostAddressMap;
  limits?: Partial<Limits>;
  secrets?: CommandDeps['secrets'];
  showsWorkerId?: boolean;
  /** Where it listens as every orchestrator does; without it nobody listens or polls, and passes find all. */
  directUrl?: string;
  observe?: Observe;
  cancelMeans?: CommandDeps['cancelMeans'];
  ghServiceSecret?: Sensitive<string>;
  /** Instead of standard output; then lines of level info come too. */
  logDestination?: NodeJS.WritableStream;
  /** What the recycle command of a deployer does; without it no deployer runs. */
  recycle?: (host: string) => Promise<boolean>;
  send?: (url: string, body: CallbackBody) => Promise<CallbackReply>;
  /** Activities that the worker runs instead of the real ones. */
  replaceActivities?: (real: OrchestratorActivities) => Partial<OrchestratorActivities>;
}

export type OrchestratorActivities = ReturnType<typeof createOrchestratorActivities>;

// Before the first worker of the process, or never: the SDK keeps its first logger.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  // Its core warns of every answer that came too late, which is what many of the tests are about.
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
});

/** The real activities and workflows in this process, with the limits of the test. */
export const startOrchestrator = async (
  options: OrchestratorOptions,
): Promise<{ stop(): Promise<void>; activities: OrchestratorActivities }> => {
  const limits = { ...realLimits, ...options.limits };
  const connection = await NativeConnection.connect({ address: options.address });
  const log = createLog({
    level: process.env.TEST_LOG_LEVEL ?? (options.logDestination === undefined ? 'error' : 'info'),
    process: 'test',
    destination: options.logDestination,
  });
  const shared = {
    pool: options.pool,
    log,
    limits,
    observe: options.observe ?? (() => undefined),
    showsWorkerId: options.showsWorkerId ?? false,
    workflows: createWorkflowsPort(options.client, { deadlineMs: 10_000, taskQueue: options.taskQueue }),
    secrets: options.secrets ?? null,
  };
  const assigner = startAssigner({
    ...shared,
    directUrl: options.pool.options.connectionString,
    callbackBaseUrl: options.callbackBaseUrl,
  });
  const listener = options.directUrl === undefined ? null : listenForRowCommands({ ...shared, directUrl: options.directUrl });
  const activities = createOrchestratorActivities({
    ...shared,
    pools: { commands: options.pool, sweep: options.pool },
    hosts: createHostClient({
      addressMap: options.addressMap ?? {},
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: options.ghServiceSecret ?? null,
    }),
    callbacks: { send: options.send ?? sendPlainly },
    cancelMeans: options.cancelMeans ?? ['listener', 'recycle'],
    retentionMs: limits.retentionMs,
    deployRetention: { deploysMs: limits.retentionMs, linesMs: limits.retentionMs },
    fleetConfig: { read: () => Promise.resolve(noFleetConfig) },
    heartbeat: () => Context.current().heartbeat(),
  });
  const worker: Worker = await createTunedWorker({
    connection,
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    activities: { ...activities, ...options.replaceActivities?.(activities) },
    workflowBundle: { codePath: await workflowBundle() },
  });
  const deployer =
    options.recycle === undefined ? null : await createDeployer(options, { connection, limits, recycle: options.recycle, log });
  const running = Promise.all([worker.run(), deployer?.run()]);
  return {
    activities,
    async stop() {
      await Promise.all([assigner.close(), listener?.close()]);
      worker.shutdown();
      deployer?.shutdown();
      await running;
      await connection.close();
    },
  };
};

/** The real activity, with a command that happens in this process. */
const createDeployer = async (
  { namespace }: OrchestratorOptions,
  {
    connection,
    limits,
    recycle,
    log,
  }: { connection: NativeConnection; limits: Limits; recycle: (host: string) => Promise<boolean>; log: Log },
): Promise<Worker> =>
  await createTunedWorker({
    connection,
    namespace,
    taskQueue: taskQueues.deploy,
    activities: createDeployActivities({
      deploys: null,
      log,
      limits,
      redact: (text) => text,
      recycle: { command: ['restart', '{host}'], timeoutMs: 60_000, env: {} },
      async runCommand({ command }) {
        const code = (await recycle(command[1] ?? '')) ? 0 : 1;
        return { end: { kind: 'exited', code }, stdout: '', stderr: '', durationMs: 0 };
      },
      heartbeat: () => Context.current().heartbeat(),
      cancellation: () => Context.current().cancellationSignal,
    }),
  });

const sendPlainly = async (url: string, body: CallbackBody): Promise<CallbackReply> => {
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) return { kind: 'failed', error: `HTTP ${response.status}`, status: response.status, retryAfterMs: null };
    const answer = (await response.json()) as { skipped?: boolean };
    return { kind: answer.skipped === true ? 'skipped' : 'accepted' };
  } catch (error) {
    return { kind: 'failed', error: String(error), status: null, retryAfterMs: null };
  }
};

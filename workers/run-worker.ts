import { existsSync } from 'node:fs';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { loadConfig, type Config } from '../src/config';
import { createLog, type Log } from '../src/log';
import type { SdkMetricsSource } from '../src/metrics/sdk';
import { dataConverter, installSdkRuntime } from '../src/temporal/connection';
import { workflowBundlePath } from './bundle-workflows';

/** The prebuilt bundle where the build made one, else the sources: a developer's start without a build. */
export const workflowSource = (): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> =>
  existsSync(workflowBundlePath)
    ? { workflowBundle: { codePath: workflowBundlePath } }
    : { workflowsPath: require.resolve('../workflows') };

/** Settings that were measured or read (design §9), for every worker of ours. */
export const workerTuning = {
  // After a killed orchestrator a message to one of its cached workflows waits this long for it; the default is 10 s.
  stickyQueueScheduleToStartTimeout: '2 seconds',
  maxConcurrentWorkflowTaskExecutions: 40,
  workflowTaskPollerBehavior: { type: 'autoscaling', minimum: 2, initial: 4, maximum: 16 },
  activityTaskPollerBehavior: { type: 'autoscaling', minimum: 2, initial: 4, maximum: 16 },
  // A cancel reaches an activity in a heartbeat's reply.
  maxHeartbeatThrottleInterval: '1 second',
} as const satisfies Partial<WorkerOptions>;

/** Runs until a signal or a fault, and drains: what is under way gets the grace to finish. */
export const runWorker = async ({
  connection,
  config,
  log,
  taskQueue,
  activities,
  workflows = {},
}: {
  connection: NativeConnection;
  config: Config;
  log: Log;
  taskQueue: string;
  activities: object;
  /** `workflowSource()` where the queue has workflows; without it only activities are polled for. */
  workflows?: Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'>;
}): Promise<void> => {
  const worker = await createTunedWorker({ ...workerOptionsOf({ connection, config, taskQueue }), ...workflows, activities });
  log.info('Polling', { taskQueue, namespace: config.temporal.namespace });
  await worker.run();
  log.info('Drained', { taskQueue });
};

/** What the configuration says of a worker. */
export const workerOptionsOf = ({
  connection,
  config,
  taskQueue,
}: {
  connection: NativeConnection;
  config: Config;
  taskQueue: string;
}): WorkerOptions & { connection: NativeConnection } => ({
  connection,
  namespace: config.temporal.namespace,
  taskQueue,
  // Without a grace, SIGTERM cancels every running activity at once.
  shutdownGraceTime: config.process.shutdownGraceMs,
  shutdownForceTime: config.process.shutdownForceMs,
  maxConcurrentActivityTaskExecutions: config.process.activitySlots,
  // Local steps are a statement or two: more of them at once than connections would only queue for the pool.
  maxConcurrentLocalActivityExecutions: Math.max(1, config.database.poolMax),
});

export const createTunedWorker = async (options: WorkerOptions & { connection: NativeConnection }): Promise<Worker> =>
  await Worker.create({ ...workerTuning, dataConverter, ...options });

/** The process is asked to end, also while there is no worker yet that would hear of it. */
export const stopSignal = (): AbortSignal => {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
};

/** A process of ours from its configuration to its exit code, which tells the truth: 0 only after a drain. */
export const runProcess = async (
  name: 'orchestrator' | 'deployer',
  start: (config: Config, log: Log, sdk: SdkMetricsSource) => Promise<void>,
): Promise<void> => {
  try {
    const config = loadConfig(process.env, name);
    const log = createLog({ level: config.logLevel, process: name, pretty: config.logPretty, secrets: config.secrets });
    const sdk = await installSdkRuntime(log);
    for (const notice of config.notices) log.log(notice.level, notice.message);
    await start(config, log, sdk).catch((error: unknown) => {
      log.error(`The ${name} ends`, { error });
      process.exitCode = 1;
    });
  } catch (error) {
    // There is no log yet: the configuration is wrong, and its message names every problem and no value.
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
};

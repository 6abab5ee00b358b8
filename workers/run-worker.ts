import { existsSync } from 'node:fs';
import { DefaultLogger, Runtime, Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Config } from '../src/config';
import type { Log } from '../src/log';
import { workflowBundlePath } from './bundle-workflows';

/** The prebuilt bundle where the build made one, else the sources: a developer's start without a build. */
export const workflowSource = (): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> =>
  existsSync(workflowBundlePath)
    ? { workflowBundle: { codePath: workflowBundlePath } }
    : { workflowsPath: require.resolve('../workflows') };

/** The SDK's own lines go through our log, where secrets are taken out. Before the first worker of the process: the SDK keeps its first logger. */
export const routeSdkLogs = (log: Log): void => {
  const levels = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  Runtime.install({ logger: new DefaultLogger('WARN', ({ level, message, meta }) => log.log(levels[level], message, meta)) });
};

/** Settings that were measured or read (design §9), for every worker of ours. */
export const workerTuning = {
  // After a killed orchestrator a message to one of its cached workflows waits this long for it; the default is 10 s.
  stickyQueueScheduleToStartTimeout: '2 seconds',
  // Without a grace, SIGTERM cancels every running activity at once.
  shutdownGraceTime: '10 seconds',
  shutdownForceTime: '20 seconds',
  maxConcurrentActivityTaskExecutions: 20,
  maxConcurrentLocalActivityExecutions: 40,
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
  const worker = await createTunedWorker({ connection, namespace: config.temporal.namespace, taskQueue, activities, ...workflows });
  log.info('Polling', { taskQueue, namespace: config.temporal.namespace });
  await worker.run();
  log.info('Drained', { taskQueue });
};

export const createTunedWorker = async (
  options: Pick<WorkerOptions, 'taskQueue' | 'namespace' | 'activities' | 'workflowBundle' | 'workflowsPath'> & {
    connection: NativeConnection;
  },
): Promise<Worker> => await Worker.create({ ...workerTuning, ...options });

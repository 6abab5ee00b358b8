import { readFileSync } from 'node:fs';
import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowExecutionAlreadyStartedError,
  isGrpcServiceError,
  type OperatorService,
  type ScheduleOptions,
} from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes';
import type { BufferedMetricUpdate, NativeConnection } from '@temporalio/worker';
import type { TemporalConfig } from './config';
import type { Log } from './log';
import { makeApplyJobId, workerCleanupScheduleId } from './contracts/ids';
import { limits } from './contracts/limits';
import { searchAttributes, taskQueues, wakeSignal, workflowNames, type ApplyJobInput, type WakeSignal } from './contracts/messages';

/** What nobody can read is marked, in every process of ours. The bundle of the workflows is made with it as well. */
export const dataConverter = { payloadConverterPath: require.resolve('./contracts/payload-converter') } as const;

const grpcAlreadyExists = 6;

/** gRPC waits up to 2 min between two tries to connect; after an outage jobs would be answered with 202 for so long. */
const reconnectMsMax = 1_000;

/** Connects with the first call, so that a process starts while Temporal is away. */
export function createClient(config: TemporalConfig): Client {
  const connection = Connection.lazy({
    ...connectionOptions(config),
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': reconnectMsMax },
  });
  return new Client({ connection, namespace: config.namespace, dataConverter });
}

/** For processes that run workflows or activities. */
export async function connectNative(config: TemporalConfig): Promise<NativeConnection> {
  // Loaded on demand: the gateway uses this file too, and has no use for the native core.
  const { NativeConnection: Native } = await import('@temporalio/worker');
  return await Native.connect(connectionOptions(config));
}

const logLevels = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Of updates between two readings of ours (src/metrics/sdk.ts); what is more is dropped, and the SDK says so. */
const sdkUpdatesMax = 100_000;

/**
 * Sends the SDK's own lines, those of workflows and activities among them, through our log, which hides secrets, and keeps its metrics for us. Before
 * the first connection.
 */
export async function installSdkRuntime(log: Log): Promise<{ retrieve: () => Iterable<BufferedMetricUpdate> }> {
  const { DefaultLogger, MetricsBuffer, Runtime } = await import('@temporalio/worker');
  const logger = new DefaultLogger('INFO', ({ level, message, meta }) => log.log(logLevels[level], message, meta));
  const buffer = new MetricsBuffer({ maxBufferSize: sdkUpdatesMax, useSecondsForDurations: true });
  Runtime.install({ logger, telemetryOptions: { metrics: { buffer } } });
  return { retrieve: () => buffer.retrieveUpdates() };
}

function connectionOptions({ address, apiKey, tls }: TemporalConfig) {
  const read = (path: string | null): Buffer | undefined => (path === null ? undefined : readFileSync(path));
  const [crt, key] = [read(tls?.certPath ?? null), read(tls?.keyPath ?? null)];
  return {
    address,
    ...(apiKey === null ? {} : { apiKey: apiKey.unredacted() }),
    ...(tls === null
      ? {}
      : {
          tls: {
            ...(tls.serverName === null ? {} : { serverNameOverride: tls.serverName }),
            serverRootCACertificate: read(tls.caPath),
            ...(crt === undefined || key === undefined ? {} : { clientCertPair: { crt, key } }),
          },
        }),
  };
}

/**
 * Registers what our workflows set, and answers the names that were new. Before anything polls: a workflow task that sets an unknown
 * attribute fails until somebody registers it.
 */
export async function ensureSearchAttributes(connection: { operatorService: OperatorService }, namespace: string): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributes).filter(({ name }) => !(name in customAttributes));
  if (missing.length === 0) return [];
  const wanted = missing.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0] as const);
  await connection.operatorService
    .addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(wanted) })
    .catch((error: unknown) => {
      // Another process was faster.
      const code: number | null = isGrpcServiceError(error) ? error.code : null;
      if (code !== grpcAlreadyExists) throw error;
    });
  return missing.map(({ name }) => name);
}

/**
 * Makes the schedule of the sweep where there is none, which is also after somebody deleted it, and brings it up to date where another release made it.
 * Otherwise it stays as a person left it: paused, or with another interval.
 */
export async function ensureWorkerCleanupSchedule(
  client: Client,
  { everyMs = limits.sweepEveryMs, taskQueue = taskQueues.orchestrator }: { everyMs?: number; taskQueue?: string } = {},
): Promise<'made' | 'updated' | 'kept'> {
  const definition = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: workflowNames.workerCleanup,
      workflowId: workerCleanupScheduleId,
      taskQueue,
      args: [{}],
      workflowExecutionTimeout: '2 minutes',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '60 seconds' },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>;
  // What it was made of goes with the action, where nobody edits it.
  const madeFrom = JSON.stringify(definition);
  const made = { ...definition, action: { ...definition.action, memo: { madeFrom } } };
  const handle = client.schedule.getHandle(workerCleanupScheduleId);
  try {
    if ((await handle.describe()).action.memo?.['madeFrom'] === madeFrom) return 'kept';
    await handle.update(({ state }) => ({ ...made, state }));
    return 'updated';
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  try {
    // The first pass probes the hosts, and nothing is assigned before: it does not wait for the first interval.
    await client.schedule.create({ scheduleId: workerCleanupScheduleId, ...made, state: { triggerImmediately: true } });
    return 'made';
  } catch (error) {
    // Another orchestrator was faster.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    return 'kept';
  }
}

/** `ended`: the workflow of this job is over. `unreachable`: nobody knows; the row stays the promise, and the sweep starts what has no workflow. */
export type StartedApplyJob = { kind: 'started' } | { kind: 'ended' } | { kind: 'unreachable'; error: unknown };

export interface ApplyJobStart extends ApplyJobInput {
  userId: string;
  requestId: string;
  /** The state that the list of workflows shows until the workflow says more. */
  state?: string;
}

/** The one start policy of gateway and sweep: join the one that runs, start anew only after a failure. */
const applyJobStartPolicy = {
  workflowIdConflictPolicy: 'USE_EXISTING',
  workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
} as const;

/** Never waits longer than the deadline and never throws: an outage of Temporal is an answer. */
export async function startApplyJob(
  client: Client,
  { jobId, userId, requestId, state = 'accepted' }: ApplyJobStart,
  {
    deadlineMs = limits.temporalCallMs,
    taskQueue = taskQueues.orchestrator,
    isNewGeneration = false,
  }: { deadlineMs?: number; taskQueue?: string; isNewGeneration?: boolean } = {},
): Promise<StartedApplyJob> {
  try {
    await client.withDeadline(Date.now() + deadlineMs, () =>
      client.workflow.start(workflowNames.applyJob, {
        workflowId: makeApplyJobId({ jobId }),
        taskQueue,
        args: [{ jobId } satisfies ApplyJobInput],
        ...applyJobStartPolicy,
        // The run of the last generation completed, so that the ordinary policy would take the job for done.
        ...(isNewGeneration ? { workflowIdReusePolicy: 'ALLOW_DUPLICATE' } : {}),
        typedSearchAttributes: [
          { key: searchAttributes.state, value: state },
          { key: searchAttributes.userId, value: userId },
        ],
        memo: { requestId },
        staticSummary: `Job ${jobId}`,
      }),
    );
    return { kind: 'started' };
  } catch (error) {
    return error instanceof WorkflowExecutionAlreadyStartedError ? { kind: 'ended' } : { kind: 'unreachable', error };
  }
}

/** A hint, so it never throws: false when no workflow was there to hear it or Temporal is away, which the sweep makes good. */
export async function wakeApplyJob(
  client: Client,
  { jobId, ...wake }: { jobId: string } & WakeSignal,
  { deadlineMs = limits.temporalCallMs }: { deadlineMs?: number } = {},
): Promise<boolean> {
  const signalled = client.withDeadline(Date.now() + deadlineMs, () =>
    client.workflow.getHandle(makeApplyJobId({ jobId })).signal(wakeSignal, wake),
  );
  return await signalled.then(
    () => true,
    () => false,
  );
}

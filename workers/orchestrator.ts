import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { createOrchestratorActivities } from '../activities';
import { reservedConnections, type Config } from '../src/config';
import { limits } from '../src/contracts/limits';
import { taskQueues } from '../src/contracts/messages';
import { waitForDatabase } from '../src/db/database-state';
import { checkForeignSchema } from '../src/db/foreign-schema';
import { fleetGauges } from '../src/db/fleet/fleet-gauges';
import { createPool, type PoolOptions } from '../src/db/pool';
import { createFleetConfigSource, type FleetConfigSource } from '../src/fleet-file';
import { createHostClient } from '../src/ghosthands/client';
import type { Log } from '../src/log';
import { createMetrics, type Metrics } from '../src/metrics';
import { addSdkMetrics, type SdkMetricsSource } from '../src/metrics/sdk';
import { startMetricsServer } from '../src/metrics/server';
import { createWorkMetrics } from '../src/metrics/work';
import { createSecretBox } from '../src/secret-box';
import { createCallbackClient } from '../src/product/callback-client';
import { connectNative, createClient } from '../src/temporal/connection';
import { ensureSearchAttributes, ensureWorkerCleanupSchedule } from '../src/temporal/namespace';
import { assignerSettings, startAssigner } from './assigner';
import { keepSchedule } from './keep-schedule';
import { processReadiness } from './process-readiness';
import { listenForRowCommands } from './row-command-listener';
import { runProcess, runWorker, stopSignal, workflowSource } from './run-worker';
import { logFleetDifferences } from './fleet-differences';
import { createWorkflowsPort } from './workflows-port';

/** The orchestrator: the workflows of jobs and of the sweep, and all their activities. Any number of them share the work. */
const startOrchestrator = async (config: Config, log: Log, sdk: SdkMetricsSource): Promise<void> => {
  const openPool = (max: number, what = '', more: Partial<PoolOptions> = {}): Pool =>
    createPool(config.database.url.unredacted(), {
      ...more,
      max,
      applicationName: `yardmaster-orchestrator${what}`,
      isDirect: config.database.isDirect,
      log,
    });
  const pool = openPool(config.database.poolMax);
  const pools = {
    commands: openPool(reservedConnections.commands, '-commands'),
    sweep: openPool(reservedConnections.sweep, '-sweep'),
    assigner: openPool(reservedConnections.assigner, '-assigner', { answerMs: limits.assignMs, settings: assignerSettings }),
  };
  const fleetConfig = createFleetConfigSource(config.fleet);
  const metrics = createMetrics({ process: 'orchestrator' });
  for (const gauge of fleetGauges(pool, limits, fleetConfig)) metrics.addGauge(gauge);
  const sdkMetrics = addSdkMetrics(metrics, sdk);
  const client = createClient(config.temporal);
  const readReadiness = processReadiness(client, { pool, log });
  const metricsServer = await startMetricsServer(metrics, { host: config.metricsHost, port: config.metricsPort, log, readReadiness });
  try {
    const check = async (): Promise<unknown> => await checkForeignSchema(pool, log);
    const isThere = await waitForDatabase(pool, { log, stopping: stopSignal(), everyMs: limits.databaseWaitMs, check });
    if (isThere) await serveJobs({ config, log, pool, pools, client, metrics, fleetConfig });
  } finally {
    sdkMetrics.stop();
    await metricsServer.stop();
    await client.connection.close();
    await Promise.all([pool, ...Object.values(pools)].map(async (each) => await each.end()));
  }
};

const serveJobs = async ({
  config,
  log,
  pool,
  pools,
  client,
  metrics,
  fleetConfig,
}: {
  config: Config;
  log: Log;
  pool: Pool;
  /** Beside it, so that neither commands nor the sweep nor the assigner stand behind ten thousand steps. */
  pools: { commands: Pool; sweep: Pool; assigner: Pool };
  client: Client;
  metrics: Metrics;
  fleetConfig: FleetConfigSource;
}): Promise<void> => {
  await logFleetDifferences({ pool, log, fleetConfig });
  const connection = await connectNative(config.temporal);
  await ensureSearchAttributes(connection, config.temporal.namespace);
  await ensureWorkerCleanupSchedule(client);
  const workflows = createWorkflowsPort(client, { deadlineMs: limits.temporalCallMs });
  const shared = {
    pool,
    log,
    limits,
    observe: createWorkMetrics(metrics),
    showsWorkerId: config.product.showsWorkerId,
    workflows,
    secrets: config.secretsKey === null ? null : createSecretBox(config.secretsKey),
  };
  const directUrl = config.database.directUrl?.unredacted();
  const assigner = startAssigner({ pool: pools.assigner, directUrl, callbackBaseUrl: config.callbackBaseUrl, workflows, limits, log });
  const listener = listenForRowCommands({ ...shared, pool: pools.commands, directUrl });
  const activities = createOrchestratorActivities({
    ...shared,
    pools,
    hosts: createHostClient({
      addressMap: config.hostAddressMap,
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: config.product.serviceSecret,
    }),
    callbacks: createCallbackClient({
      serviceSecret: config.product.serviceSecret,
      allowedOrigins: config.product.allowedCallbackOrigins,
      allowPrivateAddresses: config.product.allowPrivateCallbackAddresses,
      timeoutMs: limits.callbackTimeoutMs,
      answerBytesMax: limits.callbackAnswerBytesMax,
      retryAfterMaxMs: limits.callbackRetryAfterMaxMs,
    }),
    cancelMeans: config.cancelMeans,
    retentionMs: config.retentionMs,
    deployRetention: { deploysMs: config.deployRetentionMs, linesMs: config.deployLogRetentionMs },
    fleetConfig,
    heartbeat: () => Context.current().heartbeat(),
  });
  const ending = new AbortController();
  const keeping = keepSchedule(client, { log, signal: ending.signal });
  try {
    await runWorker({ connection, config, log, taskQueue: taskQueues.orchestrator, activities, workflows: workflowSource() });
  } finally {
    ending.abort();
    await keeping;
    await Promise.all([assigner.close(), listener.close()]);
    await connection.close();
  }
};

void runProcess('orchestrator', startOrchestrator);

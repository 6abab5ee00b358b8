import { Context } from '@temporalio/activity';
import { createOrchestratorActivities } from '../activities';
import type { Config } from '../src/config';
import { limits } from '../src/contracts/limits';
import { taskQueues } from '../src/contracts/messages';
import { checkForeignSchema } from '../src/db/foreign-schema';
import { fleetGauges } from '../src/db/fleet-gauges';
import { createPool } from '../src/db/pool';
import { createFleetConfigSource } from '../src/fleet-file';
import { createHostClient } from '../src/ghosthands/client';
import type { Log } from '../src/log';
import { createMetrics } from '../src/metrics';
import { addSdkMetrics, type SdkMetricsSource } from '../src/metrics/sdk';
import { startMetricsServer } from '../src/metrics/server';
import { createWorkMetrics } from '../src/metrics/work';
import { createSecretBox } from '../src/secret-box';
import { createCallbackClient } from '../src/product/callback-client';
import { connectNative, createClient, ensureSearchAttributes, ensureWorkerCleanupSchedule } from '../src/temporal';
import { assignOnNotify } from './assign-on-notify';
import { processReadiness } from './process-readiness';
import { runProcess, runWorker, workflowSource } from './run-worker';
import { sayFleetDifferences } from './fleet-differences';
import { createWorkflowsPort } from './workflows-port';

/** The orchestrator: the workflows of jobs and of the sweep, and all their activities. Any number of them share the work. */
const startOrchestrator = async (config: Config, log: Log, sdk: SdkMetricsSource): Promise<void> => {
  const pool = createPool(config.database.url.unredacted(), {
    max: config.database.poolMax,
    applicationName: 'yardmaster-orchestrator',
    prepares: config.database.isDirect,
    log,
  });
  await checkForeignSchema(pool, log);
  const fleetConfig = createFleetConfigSource(config.fleet);
  await sayFleetDifferences({ pool, log, fleetConfig });
  const connection = await connectNative(config.temporal);
  await ensureSearchAttributes(connection, config.temporal.namespace);
  const client = createClient(config.temporal);
  await ensureWorkerCleanupSchedule(client);
  const metrics = createMetrics({ process: 'orchestrator' });
  for (const gauge of fleetGauges(pool, limits, fleetConfig)) metrics.addGauge(gauge);
  const sdkMetrics = addSdkMetrics(metrics, sdk);
  const readReadiness = processReadiness(client, { pool, log });
  const metricsServer = await startMetricsServer(metrics, { host: config.metricsHost, port: config.metricsPort, log, readReadiness });
  const workflows = createWorkflowsPort(client, { deadlineMs: limits.temporalCallMs });
  const listener = assignOnNotify({
    pool,
    log,
    workflows,
    directUrl: config.database.directUrl?.unredacted(),
    callbackBaseUrl: config.callbackBaseUrl,
  });

  const activities = createOrchestratorActivities({
    pool,
    log,
    limits,
    observe: createWorkMetrics(metrics),
    callbackBaseUrl: config.callbackBaseUrl,
    workflows,
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
    }),
    cancelMeans: config.cancelMeans,
    secrets: config.secretsKey === null ? null : createSecretBox(config.secretsKey),
    retentionMs: config.retentionMs,
    deployRetention: { deploysMs: config.deployRetentionMs, linesMs: config.deployLogRetentionMs },
    fleetConfig,
    heartbeat: () => Context.current().heartbeat(),
  });
  try {
    await runWorker({ connection, config, log, taskQueue: taskQueues.orchestrator, activities, workflows: workflowSource() });
  } finally {
    await listener.close();
    sdkMetrics.stop();
    await metricsServer.stop();
    await connection.close();
    await client.connection.close();
    await pool.end();
  }
};

void runProcess('orchestrator', startOrchestrator);

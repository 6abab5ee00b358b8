import { Context } from '@temporalio/activity';
import { createOrchestratorActivities } from '../activities';
import { loadConfig, type Config } from '../src/config';
import { limits } from '../src/contracts/limits';
import { taskQueues } from '../src/contracts/messages';
import { checkForeignSchema } from '../src/db/foreign-schema';
import { createPool } from '../src/db/pool';
import { createHostReader } from '../src/ghosthands/client';
import { createLog, type Log } from '../src/log';
import { createMetrics, startMetricsServer } from '../src/metrics';
import { createSecretBox } from '../src/secret-box';
import { createCallbackClient } from '../src/product/callback-client';
import { connectNative, createClient, ensureSearchAttributes, ensureWorkerCleanupSchedule } from '../src/temporal';
import { routeSdkLogs, runWorker, workflowSource } from './run-worker';
import { createWorkflowsPort } from './workflows-port';

/** The orchestrator: the workflows of jobs and of the sweep, and all their activities. Any number of them share the work. */
const startOrchestrator = async (config: Config, log: Log): Promise<void> => {
  for (const { level, message } of config.notices) log[level](message);
  const pool = createPool(config.database.url.unredacted(), {
    max: config.database.poolMax,
    applicationName: 'yardmaster-orchestrator',
    log,
  });
  await checkForeignSchema(pool, log);
  const connection = await connectNative(config.temporal);
  await ensureSearchAttributes(connection, config.temporal.namespace);
  const client = createClient(config.temporal);
  await ensureWorkerCleanupSchedule(client);
  const metrics = await startMetricsServer(createMetrics({ process: 'orchestrator' }), { host: config.metricsHost, port: config.metricsPort, log });

  const activities = createOrchestratorActivities({
    pool,
    log,
    limits,
    callbackBaseUrl: config.callbackBaseUrl,
    workflows: createWorkflowsPort(client, { deadlineMs: limits.temporalCallMs }),
    hosts: createHostReader({
      addressMap: config.hostAddressMap,
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
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
    heartbeat: () => Context.current().heartbeat(),
  });
  try {
    await runWorker({ connection, config, log, taskQueue: taskQueues.orchestrator, activities, workflows: workflowSource() });
  } finally {
    await metrics.stop();
    await connection.close();
    await client.connection.close();
    await pool.end();
  }
};

const main = async (): Promise<void> => {
  const config = loadConfig(process.env, 'orchestrator');
  const log = createLog({ level: config.logLevel, process: 'orchestrator', pretty: config.logPretty, secrets: config.secrets });
  routeSdkLogs(log);
  await startOrchestrator(config, log).catch((error: unknown) => {
    log.error('The orchestrator ends', { error });
    process.exitCode = 1;
  });
};

void main();

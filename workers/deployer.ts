import { Context } from '@temporalio/activity';
import { createDeployActivities } from '../activities';
import type { Config } from '../src/config';
import { limits } from '../src/contracts/limits';
import { taskQueues } from '../src/contracts/messages';
import { createRedact } from '../src/domain/redact';
import type { Log } from '../src/log';
import { createMetrics } from '../src/metrics';
import { addSdkMetrics, type SdkMetricsSource } from '../src/metrics/sdk';
import { startMetricsServer } from '../src/metrics/server';
import { runChild } from '../src/process/child';
import { connectNative } from '../src/temporal';
import { runProcess, runWorker } from './run-worker';

/** The deployer: the activities that start programs on this machine, which holds their keys. */
const startDeployer = async (config: Config, log: Log, sdk: SdkMetricsSource): Promise<void> => {
  const connection = await connectNative(config.temporal);
  const metrics = createMetrics({ process: 'deployer' });
  const sdkMetrics = addSdkMetrics(metrics, sdk);
  const metricsServer = await startMetricsServer(metrics, { host: config.metricsHost, port: config.metricsPort, log });

  const activities = createDeployActivities({
    log,
    limits,
    redact: createRedact(config.secrets),
    recycle: config.recycle === null ? null : { ...config.recycle, env: config.childEnvironment },
    runCommand: runChild,
    heartbeat: () => Context.current().heartbeat(),
    cancellation: () => Context.current().cancellationSignal,
  });
  try {
    await runWorker({ connection, config, log, taskQueue: taskQueues.deploy, activities });
  } finally {
    sdkMetrics.stop();
    await metricsServer.stop();
    await connection.close();
  }
};

void runProcess('deployer', startDeployer);

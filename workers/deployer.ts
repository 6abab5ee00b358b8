import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { createDeployActivities } from '../activities';
import { checkRecycleRegularly } from '../activities/fleet/recycle';
import type { DeployDeps } from '../activities/deploys/deploy-deps';
import { createDestinationActivities } from '../activities/deploys/destinations';
import type { Config, KamalConfig } from '../src/config';
import { limits } from '../src/contracts/limits';
import { taskQueues } from '../src/contracts/messages';
import { waitForDatabase } from '../src/db/database-state';
import { createPool } from '../src/db/pool';
import { createRedact } from '../src/domain/redact';
import { createHostClient } from '../src/ghosthands/client';
import { createFleetConfigSource } from '../src/fleet-file';
import { createFindSecret } from '../src/kamal/find-secret';
import { createKamal } from '../src/kamal/create-kamal';
import type { Kamal } from '../src/kamal/kamal';
import type { Log } from '../src/log';
import { createMetrics } from '../src/metrics';
import { addSdkMetrics, type SdkMetricsSource } from '../src/metrics/sdk';
import { startMetricsServer } from '../src/metrics/server';
import { runChild } from '../src/process/child';
import { streamChild } from '../src/process/stream-child';
import { connectNative, createClient } from '../src/temporal/connection';
import { ensureSearchAttributes } from '../src/temporal/namespace';
import { askTemporal, processReadiness } from './process-readiness';
import { refreshRegularly } from './refresh-destinations';
import { createTunedWorker, runProcess, runWorker, stopSignal, workerOptionsOf, workflowSource } from './run-worker';
import { serveAlone } from './serve-alone';
import { createWorkflowsPort } from './workflows-port';

/** The deployer: the workflows of deploys, and the activities that start programs on this machine, which holds their keys. */
const startDeployer = async (config: Config, log: Log, sdk: SdkMetricsSource): Promise<void> => {
  const connection = await connectNative(config.temporal);
  const metrics = createMetrics({ process: 'deployer' });
  const sdkMetrics = addSdkMetrics(metrics, sdk);
  const client = createClient(config.temporal);
  // A deployer for recycles alone has no business in the database.
  const pool =
    config.kamal === null
      ? null
      : createPool(config.database.url.unredacted(), {
          max: config.database.poolMax,
          applicationName: 'yardmaster-deployer',
          isDirect: config.database.isDirect,
          log,
        });
  const readReadiness = processReadiness(client, { pool, log });
  const metricsServer = await startMetricsServer(metrics, { host: config.metricsHost, port: config.metricsPort, log, readReadiness });
  const ending = new AbortController();
  const common = { log, limits, redact: createRedact(config.secrets), runCommand: runChild };
  const check = config.recycle?.check ?? null;
  const checking = check === null ? null : checkRecycleRegularly({ command: check, env: config.childEnvironment }, common, ending.signal);
  const recycleDeps = {
    ...common,
    readCheck: checking?.read,
    recycle: config.recycle === null ? null : { ...config.recycle, env: config.childEnvironment },
    heartbeat: (): void => Context.current().heartbeat(),
    cancellation: (): AbortSignal => Context.current().cancellationSignal,
  };
  try {
    if (config.kamal === null || pool === null) {
      const activities = createDeployActivities({ ...recycleDeps, deploys: null });
      await runWorker({ connection, config, log, taskQueue: taskQueues.deploy, activities });
    } else {
      await ensureSearchAttributes(connection, config.temporal.namespace);
      await serveDeploys({ config, kamalConfig: config.kamal, log, pool, client }, async (deploys) =>
        createTunedWorker({
          ...workerOptionsOf({ connection, config, taskQueue: taskQueues.deploy }),
          ...workflowSource(),
          activities: createDeployActivities({ ...recycleDeps, deploys }),
        }),
      );
    }
  } finally {
    ending.abort();
    sdkMetrics.stop();
    await metricsServer.stop();
    await connection.close();
    await client.connection.close();
  }
};

/** One deployer of a database is active, whatever it serves; the others stand by and take over when its session ends. */
const serveDeploys = async (
  { config, kamalConfig, log, pool, client }: { config: Config; kamalConfig: KamalConfig; log: Log; pool: Pool; client: Client },
  createWorker: (deploys: DeployDeps) => ReturnType<typeof createTunedWorker>,
): Promise<void> => {
  const stopping = stopSignal();
  const { bin, configDir, stateDir, env, secretsDir, secrets, installation, rolePorts } = kamalConfig;
  const findSecret = createFindSecret({ dir: secretsDir, environment: secrets });
  const kamal = createKamal({
    bin,
    configDir,
    stateDir,
    env,
    findSecret,
    streamChild,
    killAfterMs: limits.kamalKillAfterMs,
    configTimeoutMs: limits.kamalConfigMs,
    configFreshMs: limits.kamalConfigFreshMs,
    log,
  });
  const fleetConfig = createFleetConfigSource(config.fleet);
  // On a machine that stands by, too: nobody else ends what a killed deployer has left here, its secrets above all.
  await endLeftovers(kamal, log);
  try {
    await waitForDatabase(pool, { log, stopping, everyMs: limits.databaseWaitMs });
    await serveAlone({
      lock: { directUrl: config.database.directUrl?.unredacted() ?? '', name: 'yardmaster.deployer', everyMs: limits.deployerLockEveryMs },
      log,
      stopping,
      isReachable: async () => await isTemporalThere(client),
      async startTurn(draining, cutOff) {
        const deploys: DeployDeps = {
          pool,
          log,
          limits,
          kamal,
          hosts: createHostClient({
            addressMap: config.hostAddressMap,
            timeoutMs: limits.probeTimeoutMs,
            answerBytesMax: limits.probeAnswerBytesMax,
            serviceSecret: config.product.serviceSecret,
          }),
          workflows: createWorkflowsPort(client, { deadlineMs: limits.temporalCallMs }),
          installation,
          rolePorts,
          fleetConfig,
          heartbeat: (details) => Context.current().heartbeat(details),
          cancellation: () => AbortSignal.any([Context.current().cancellationSignal, cutOff]),
          draining,
          onDeployEnded: (destination) => refreshing.now(destination),
        };
        const outside = { ...deploys, heartbeat: () => undefined, cancellation: () => draining };
        const refreshing = refreshRegularly(createDestinationActivities(outside).refreshDestinations, {
          everyMs: limits.destinationsEveryMs,
          signal: draining,
          log,
        });
        await endLeftovers(kamal, log);
        return await createWorker(deploys);
      },
    });
  } finally {
    await pool.end();
  }
};

/** What a deployer before this one left on this machine, whichever deploy it was for. */
const endLeftovers = async (kamal: Kamal, log: Log): Promise<void> => {
  const left = await kamal.endLeftovers();
  if (left.endedCommands + left.problems.length > 0) log.warn('Commands of a deployer before this one were left', { ...left });
};

/** A beat of an activity goes the same way. */
const isTemporalThere = async (client: Client): Promise<boolean> =>
  await askTemporal(client).then(
    () => true,
    () => false,
  );

void runProcess('deployer', startDeployer);

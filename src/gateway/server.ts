import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig, type Config } from '../config';
import { limits } from '../contracts/limits';
import { listApiHosts } from '../db/fleet/api-hosts';
import { waitForDatabase } from '../db/database-state';
import { lastSweepAgeGauge } from '../db/fleet/fleet-gauges';
import { createPool } from '../db/pool';
import { createLog, type Log } from '../log';
import { createMetrics } from '../metrics';
import { startMetricsServer } from '../metrics/server';
import { createFleetConfigSource } from '../fleet-file';
import { createHostClient } from '../ghosthands/client';
import { createSecretBox } from '../secret-box';
import { createClient } from '../temporal/connection';
import { createApp } from './app';
import { drain, keepIdleConnections } from './drain';
import { createGatewayMetrics } from './gateway-metrics';
import { createDeploysClient } from './deploys-client';
import { createModelsReader } from './models-reader';
import { createSharedChecks } from './shared-checks';
import { createLogStreams } from './sse/log-streams';
import { createWorkflowsClient } from './workflows-client';

export interface RunningGateway {
  url: string;
  /** Stops accepting, lets requests in flight finish within the grace, and gives everything back. */
  stop(): Promise<void>;
}

const giveBackMs = 2_000;

/** The gateway as the configuration wants it. It starts without Postgres and Temporal, and says so in /readyz. */
export const startGateway = async (config: Config, log: Log): Promise<RunningGateway> => {
  const pool = createPool(config.database.url.unredacted(), {
    max: config.database.poolMax,
    applicationName: 'yardmaster-gateway',
    isDirect: config.database.isDirect,
    log,
  });
  const client = createClient(config.temporal);
  const metrics = createMetrics({ process: 'gateway' });
  const streams = createLogStreams({ pool, directUrl: config.database.directUrl?.unredacted(), limits, log });
  const fleetConfig = createFleetConfigSource(config.fleet);
  for (const problem of (await fleetConfig.read()).problems) log.warn('A part of the fleet configuration is left out', { problem });
  const stopping = new AbortController();
  // Nobody waits for it here: what it says is for the log, and /readyz says it too.
  const waitingForDatabase = waitForDatabase(pool, { log, stopping: stopping.signal, everyMs: limits.databaseWaitMs });
  const workflows = createWorkflowsClient(client, { deadlineMs: limits.temporalCallMs });
  const checks = createSharedChecks({ pool, workflows, limits, log });
  metrics.addGauge(lastSweepAgeGauge(pool));
  const app = createApp({
    pool,
    log,
    limits,
    secrets: config.secretsKey === null ? null : createSecretBox(config.secretsKey),
    workflows,
    checks,
    deploys: createDeploysClient(client, { deadlineMs: limits.temporalCallMs }),
    streams,
    models: createModelsReader({
      listHosts: async (most) => await listApiHosts(pool, { rows: most }),
      addressMap: config.hostAddressMap,
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
    }),
    hosts: createHostClient({
      addressMap: config.hostAddressMap,
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: null,
    }),
    fleetConfig,
    metrics: createGatewayMetrics(metrics),
    keyRing: {
      keys: config.keys,
      serviceSecrets: config.product.acceptedServiceSecrets,
      legacySecretInQuery: config.gateway.legacySecretInQuery,
    },
    settings: {
      ...config.gateway,
      allowedCallbackOrigins: config.product.allowedCallbackOrigins,
      showsWorkerId: config.product.showsWorkerId,
    },
    isDraining: () => stopping.signal.aborted,
  });
  const server = createServer(app);
  keepIdleConnections(server, config.gateway.keepAliveMs);
  await listen(server, { ...config.gateway, log });
  const workerServer = config.gateway.workerPort === null ? null : createServer(workerPages(app));
  if (workerServer !== null) keepIdleConnections(workerServer, config.gateway.keepAliveMs);
  if (workerServer !== null) await listen(workerServer, { host: config.gateway.host, port: config.gateway.workerPort ?? 0, log });
  const metricsServer = await startMetricsServer(metrics, {
    host: config.metricsHost,
    port: config.metricsPort,
    log,
    readReadiness: checks.readReadiness,
  });
  log.info('The gateway listens', { url: config.gateway.publicUrl, port: config.gateway.port });
  return {
    url: config.gateway.publicUrl,
    async stop() {
      stopping.abort();
      log.info('The gateway drains');
      const streamsClosed = streams.close();
      const drainTimes = { graceMs: config.process.shutdownGraceMs, idleMs: limits.drainIdleMs };
      await Promise.all([server, workerServer].map(async (each) => each && (await drain(each, drainTimes))));
      const givenBack = Promise.allSettled([
        metricsServer.stop(),
        Promise.all([streamsClosed, waitingForDatabase]).then(async () => await pool.end()),
        client.connection.close(),
      ]);
      // A statement that Postgres never answers holds its connection for ever; the end of the process ends both.
      await Promise.race([givenBack, delay(giveBackMs, undefined, { ref: false })]);
      log.info('The gateway has stopped');
    },
  };
};

/** VALET derives this port from our address, and asks it for these pages alone, without a key (valet §1.1). */
const workerPages = (app: RequestListener): RequestListener => {
  return (request, response) => {
    if (/^\/worker(\/|$)/i.test(request.url ?? '')) return app(request, response);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not_found"}');
  };
};

const listen = async (server: Server, { host, port, log }: { host: string; port: number; log: Log }): Promise<void> => {
  server.listen(port, host);
  await once(server, 'listening');
  // Such as no file left to open for one more connection: those that are open go on.
  server.on('error', (error) => log.warn('A connection could not be accepted', { port, error }));
};

const main = async (): Promise<void> => {
  const config = loadConfig(process.env, 'gateway');
  const log = createLog({ level: config.logLevel, process: 'gateway', pretty: config.logPretty, secrets: config.secrets });
  for (const { level, message } of config.notices) log.log(level, message);
  const gateway = await startGateway(config, log);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await gateway.stop();
};

if (require.main === module) {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}

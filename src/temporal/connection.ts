import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import type { BufferedMetricUpdate, NativeConnection } from '@temporalio/worker';
import type { TemporalConfig } from '../config';
import type { Log } from '../log';

/** What nobody can read is marked, in every process of ours. The bundle of the workflows is made with it as well. */
export const dataConverter = { payloadConverterPath: require.resolve('../contracts/payload-converter') } as const;

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

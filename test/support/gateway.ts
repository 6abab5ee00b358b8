import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Pool } from 'pg';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { listApiHosts } from '../../src/db/fleet/api-hosts';
import { sensitive } from '../../src/domain/sensitive';
import { createApp } from '../../src/gateway/app';
import { keepIdleConnections } from '../../src/gateway/drain';
import type { GatewayDeps } from '../../src/gateway/gateway-deps';
import { createGatewayMetrics } from '../../src/gateway/gateway-metrics';
import type { DeploysClient } from '../../src/gateway/deploys-client';
import { createModelsReader } from '../../src/gateway/models-reader';
import { createSharedChecks } from '../../src/gateway/shared-checks';
import { createLogStreams } from '../../src/gateway/sse/log-streams';
import type { WorkflowsClient } from '../../src/gateway/workflows-client';
import { createHostClient } from '../../src/ghosthands/client';
import { createLog } from '../../src/log';
import { createSecretBox } from '../../src/secret-box';
import { createMetrics, type Metrics } from '../../src/metrics';
import { collectLines } from './log-lines';

/** Keys of the test gateway by role; `service` is VALET's, and what GH workers show. */
export const testKeys = {
  product: 'key-of-the-product',
  operator: 'key-of-the-operator',
  deployer: 'key-of-the-deployer',
  readOnly: 'key-of-the-reader',
  service: 'the-service-secret',
} as const;

/** What a test's worker needs to open what the gateway sealed. */
export const testSecretsKey = sensitive('0f'.repeat(32));

export interface TestGatewayOptions {
  pool: Pool;
  workflows: WorkflowsClient;
  /** By default a client that no deploy can go through. */
  deploys?: DeploysClient;
  /** For LISTEN; without it changes of logs are found by polling. */
  directUrl?: string;
  limits?: Partial<Limits>;
  settings?: Partial<GatewayDeps['settings']>;
  legacySecretInQuery?: boolean;
  /** False: as without SECRETS_KEY. */
  hasSecretsKey?: boolean;
  addressMap?: Record<string, { api: string; worker: string }>;
  fleetConfig?: GatewayDeps['fleetConfig'];
}

export interface TestGateway {
  url: string;
  /** Every line that it logged. */
  logLines: string[];
  metrics: Metrics;
  stop(): Promise<void>;
}

/** The real gateway on a free port of loopback. */
export const startTestGateway = async (options: TestGatewayOptions): Promise<TestGateway> => {
  // A test that changes something asks at once; what is kept is a test of its own.
  const limits = { ...realLimits, readinessKeptMs: 0, ...options.limits };
  const { pool } = options;
  const metrics = createMetrics({ process: 'gateway' });
  const { destination, lines: logLines } = collectLines();
  const log = createLog({ level: 'debug', process: 'test', destination, secrets: Object.values(testKeys).map((key) => sensitive(key)) });
  const streams = createLogStreams({ pool, directUrl: options.directUrl, limits, log });
  const app = createApp({
    pool,
    workflows: options.workflows,
    deploys: options.deploys ?? noDeploys,
    streams,
    limits,
    secrets: options.hasSecretsKey === false ? null : createSecretBox({ current: testSecretsKey, previous: null }),
    log,
    models: createModelsReader({
      listHosts: async (most) => await listApiHosts(pool, { rows: most }),
      addressMap: options.addressMap ?? {},
      timeoutMs: 2_000,
      answerBytesMax: 65_536,
    }),
    hosts: createHostClient({
      addressMap: options.addressMap ?? {},
      timeoutMs: options.limits?.probeTimeoutMs ?? 2_000,
      answerBytesMax: 65_536,
      serviceSecret: null,
    }),
    fleetConfig: options.fleetConfig ?? { read: async () => await Promise.resolve(noFleetConfig), current: () => noFleetConfig },
    metrics: createGatewayMetrics(metrics),
    checks: createSharedChecks({ pool, workflows: options.workflows, limits, log }),
    keyRing: {
      keys: [
        { name: 'app', role: 'product', secret: sensitive(testKeys.product) },
        { name: 'valet', role: 'product', secret: sensitive(testKeys.service) },
        { name: 'ops', role: 'operator', secret: sensitive(testKeys.operator) },
        { name: 'atm', role: 'deployer', secret: sensitive(testKeys.deployer) },
        { name: 'board', role: 'read_only', secret: sensitive(testKeys.readOnly) },
      ],
      serviceSecrets: [sensitive(testKeys.service)],
      legacySecretInQuery: options.legacySecretInQuery ?? false,
    },
    settings: {
      publicUrl: 'http://gateway.test',
      trustProxy: 0,
      bodyBytesMax: 262_144,
      rateLimitPerMinute: 100_000,
      atmOpenReads: false,
      allowedCallbackOrigins: ['https://valet.test'],
      corsOrigins: ['https://dashboard.test'],
      environment: 'staging',
      showsWorkerId: false,
      ...options.settings,
    },
    isDraining: () => false,
  });
  const server = createServer(app);
  // Whoever calls on a kept connection in the moment in which it ends gets no answer, and a busy machine makes that moment long.
  keepIdleConnections(server, 600_000);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    logLines,
    metrics,
    async stop() {
      await streams.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

const unreachable = async (): Promise<{ kind: 'unreachable'; error: unknown }> => ({
  kind: 'unreachable',
  error: 'no Temporal in this test',
});
const noDeploys: DeploysClient = { startDeploy: unreachable, signalDeploy: unreachable, inspect: unreachable, breakLock: unreachable };

/** What came back, its body read by whoever looks at it. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  // The shape is what the tests are about.
  body: Record<string, unknown>;
}

export const call = async (
  url: string,
  {
    key,
    method = 'GET',
    json,
    headers = {},
    raw,
  }: { key?: string; method?: string; json?: unknown; raw?: string; headers?: Record<string, string> } = {},
): Promise<Reply> => {
  const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
  const response = await fetch(url, {
    method: body === undefined ? method : 'POST',
    body,
    headers: {
      ...(key === undefined ? {} : { 'x-api-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: readJson(text) };
};

const readJson = (text: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // A page, or nothing: the test reads `text`.
    return {};
  }
};

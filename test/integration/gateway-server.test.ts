import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent, request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { EventEmitter, once } from 'node:events';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { loadConfig } from '../../src/config';
import { startGateway, type RunningGateway } from '../../src/gateway/server';
import { createLog } from '../../src/log';
import { withDatabase } from '../support/database';
import { call } from '../support/gateway';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();

const freePort = async (): Promise<number> => {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
};

const start = async (settings: Record<string, string> = {}): Promise<RunningGateway> => {
  const config = loadConfig(
    {
      DATABASE_URL: database.databaseUrl,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: String(await freePort()),
      METRICS_PORT: '0',
      YARDMASTER_KEYS: 'ops:operator:a-key-for-this-test-alone',
      SHUTDOWN_GRACE_SECONDS: '5',
      ...settings,
    },
    'gateway',
  );
  return await startGateway(config, createLog({ level: 'error', process: 'test' }));
};

/** What Node says of each request that one of its servers begins to read. */
const requestStartSchema = z.object({ server: z.instanceof(EventEmitter) });

const key = 'a-key-for-this-test-alone';

/** Holds back whatever reads the pause, which every list does. */
const withLockedHolds = async (use: (unlock: () => Promise<unknown>) => Promise<void>): Promise<void> => {
  const client: PoolClient = await database.pool.connect();
  try {
    await client.query('begin');
    await client.query('lock table yardmaster.host_hold in access exclusive mode');
    await use(async () => await client.query('rollback'));
  } finally {
    await client.query('rollback');
    client.release();
  }
};

const isWaiting = async (): Promise<boolean> => {
  const { rows } = await database.pool.query<{ waiting: boolean }>(
    `select exists (select from pg_stat_activity where application_name = 'yardmaster-gateway' and datname = current_database() and wait_event_type = 'Lock') as waiting`,
  );
  return rows[0]?.waiting === true;
};

it('lets a request in flight finish before it stops, takes no new one meanwhile, and leaves nothing behind', async () => {
  const gateway = await start();
  await withLockedHolds(async (unlock) => {
    const inFlight = call(`${gateway.url}/v1/jobs`, { key });
    await until(isWaiting, { what: 'the request waits for Postgres' });
    const stopped = gateway.stop();
    await until(
      async () =>
        await call(`${gateway.url}/livez`).then(
          () => false,
          () => true,
        ),
      { what: 'new connections are refused' },
    );
    await unlock();
    expect(await inFlight).toMatchObject({ status: 200, body: { jobs: [] } });
    await stopped;
  });
  // Of this database: other files have gateways too. The backend of a connection that was closed takes a moment to end.
  const sessions = `select from pg_stat_activity where application_name = 'yardmaster-gateway' and datname = current_database()`;
  await until(async () => (await database.pool.query(sessions)).rowCount === 0, { what: 'its sessions are given back' });
});

/** One request by a pool of kept connections. */
const postBy = async (
  agent: Agent,
  url: string,
): Promise<{ isReused: boolean; status: number; connection: string | undefined; keepAlive: unknown }> =>
  await new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/fleet/sweep`, { method: 'POST', agent, headers: { 'x-api-key': key } }, (response) => {
      response.resume().once('end', () => {
        const { connection, 'keep-alive': keepAlive } = response.headers;
        resolve({ isReused: sent.reusedSocket, status: response.statusCode ?? 0, connection, keepAlive });
      });
    });
    sent.once('error', reject).end();
  });

it('keeps the connections of a pool for longer than proxies do, and answers once more on each of them when it stops', async () => {
  const gateway = await start();
  const agent = new Agent({ keepAlive: true });
  const fleet = 8;
  const all = async () => await Promise.all(Array.from({ length: fleet }, async () => await postBy(agent, gateway.url)));
  const opened = await all();
  expect(opened.map(({ isReused, connection, keepAlive }) => [isReused, connection, keepAlive])).toEqual(
    opened.map(() => [false, 'keep-alive', 'timeout=75']),
  );
  const stopped = gateway.stop();
  const last = await all();
  expect(last.map(({ isReused, connection }) => [isReused, connection])).toEqual(last.map(() => [true, 'close']));
  expect(new Set([...opened, ...last].map(({ status }) => status < 500 || status === 503))).toEqual(new Set([true]));
  await stopped;
  agent.destroy();
});

it('keeps them for as long as the setting says', async () => {
  const gateway = await start({ KEEP_ALIVE_SECONDS: '600' });
  const agent = new Agent({ keepAlive: true });
  expect(await postBy(agent, gateway.url)).toMatchObject({ keepAlive: 'timeout=600' });
  agent.destroy();
  await gateway.stop();
});

it('does not wait longer than its grace for a request that never ends', async () => {
  const gateway = await start({ SHUTDOWN_GRACE_SECONDS: '1' });
  await withLockedHolds(async (unlock) => {
    const inFlight = call(`${gateway.url}/v1/jobs`, { key }).then(
      () => 'answered',
      () => 'cut',
    );
    await until(isWaiting, { what: 'the request waits for Postgres' });
    const stopped = gateway.stop();
    expect(await inFlight).toBe('cut');
    await unlock();
    await stopped;
  });
});

it('stays ready on both of its ports while Temporal is away', async () => {
  const metricsPort = await freePort();
  const gateway = await start({ TEMPORAL_ADDRESS: '127.0.0.1:1', METRICS_PORT: String(metricsPort) });
  for (const url of [gateway.url, `http://127.0.0.1:${metricsPort}`])
    expect(await call(`${url}/readyz`)).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: { postgres: 'ok', temporal: 'away' } },
    });
  await gateway.stop();
});

it('answers 503 in readiness while Postgres accepts connections and says nothing', async () => {
  const gateway = await start();
  await withLockedHolds(async () => {
    expect(await call(`${gateway.url}/readyz`)).toMatchObject({ status: 503, body: { checks: { postgres: 'away', temporal: 'ok' } } });
  });
  await until(async () => (await call(`${gateway.url}/readyz`)).status === 200, { what: 'it is ready when Postgres answers again' });
  await gateway.stop();
});

it('serves the worker pages, and nothing else, on the port that VALET derives', async () => {
  const port = await freePort();
  const gateway = await start({ GATEWAY_WORKER_PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  expect(await call(`${url}/worker/status`)).toMatchObject({ status: 200, body: { worker_id: 'yardmaster' } });
  expect((await call(`${url}/worker/health`)).status).toBe(200);
  expect((await call(`${url}/worker/drain`, { method: 'POST' })).status).toBe(401);
  expect(await call(`${url}/v1/jobs`, { key })).toMatchObject({ status: 404, body: { error: 'not_found' } });
  await gateway.stop();
  await expect(call(`${url}/worker/status`)).rejects.toThrow(/fetch failed/);
});

it('lives when one of its servers cannot accept a connection, as where no file is left to open', async () => {
  const [workerPort, metricsPort] = [await freePort(), await freePort()];
  const gateway = await start({ GATEWAY_WORKER_PORT: String(workerPort), METRICS_PORT: String(metricsPort) });
  const servers = new Set<EventEmitter>();
  const see = (message: unknown): void => void servers.add(requestStartSchema.parse(message).server);
  subscribe('http.server.request.start', see);
  const pages = [`${gateway.url}/livez`, `http://127.0.0.1:${workerPort}/worker/health`, `http://127.0.0.1:${metricsPort}/livez`];
  const statuses = async () => await Promise.all(pages.map(async (page) => (await call(page)).status));
  try {
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(servers.size).toBe(3);
    for (const server of servers) server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' }));
    expect(await statuses()).toEqual([200, 200, 200]);
  } finally {
    unsubscribe('http.server.request.start', see);
    await gateway.stop();
  }
});

it('starts with a fleet configuration that nobody can read', async () => {
  const gateway = await start({ FLEET_CONFIG: '[{"id": "a", "ip": 7}, {"id": "b"}]', FLEET_ENVIRONMENT: 'lab' });
  const { body } = await call(`${gateway.url}/fleet`);
  expect(body).toMatchObject({ servers: [{ id: 'yardmaster' }, { id: 'b', environment: 'lab' }] });
  await gateway.stop();
});

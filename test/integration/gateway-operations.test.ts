import { Client, Connection } from '@temporalio/client';
import { createPool } from '../../src/db/pool';
import type { Role } from '../../src/gateway/role';
import { endpointNames, endpoints } from '../../src/gateway/endpoints';
import { readyAnswerSchema } from '../../src/gateway/schemas/operations';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { workerCleanupScheduleId } from '../../src/contracts/ids';
import { withDatabase } from '../support/database';
import { countStatements } from '../support/statement-count';
import { submitJobExamples } from '../../src/gateway/examples';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());

const id = '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f';
const pathOf = (path: string): string =>
  path
    .replace(/:(jobId|attemptId)/, id)
    .replace(':generation', '1')
    .replace(':seq', '1')
    .replace('*path', 'health/deep');

/** Empty, it would pause the fleet, which not everybody may who may drain a worker. */
const bodyOf: Readonly<Record<string, string>> = { '/worker/drain': '{"worker_id": "nobody"}' };

/** A stream of events has no end: its first bytes are enough. */
const tryEndpoint = async (method: string, path: string, key?: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${gateway.url}${pathOf(path)}`, {
    method: method.toUpperCase(),
    headers: { ...(key === undefined ? {} : { 'x-api-key': key }), ...(method === 'post' ? { 'content-type': 'application/json' } : {}) },
    ...(method === 'post' ? { body: bodyOf[path] ?? '{}' } : {}),
  });
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true)
    return { status: response.status, text: await response.text() };
  await response.body?.cancel();
  return { status: response.status, text: '' };
};

describe('roles', () => {
  const keyOf: Record<Exclude<Role, 'worker'>, string> = {
    product: testKeys.product,
    operator: testKeys.operator,
    deployer: testKeys.deployer,
    read_only: testKeys.readOnly,
  };

  it.each(endpointNames)('%s lets in whom the table names, and nobody else', async (name) => {
    const { method, path } = endpoints[name];
    const roles: readonly Role[] | 'public' = endpoints[name].roles;
    const send = async (key?: string): Promise<number> => (await tryEndpoint(method, path, key)).status;
    const refused = (status: number): boolean => status === 401 || status === 403;
    expect(refused(await send())).toBe(roles !== 'public');
    for (const role of ['product', 'operator', 'deployer', 'read_only'] as const) {
      expect({ role, isRefused: refused(await send(keyOf[role])) }).toEqual({
        role,
        isRefused: roles !== 'public' && !roles.includes(role),
      });
    }
  });
});

describe('health', () => {
  it('lives whatever is away', async () => {
    expect(await call(`${gateway.url}/livez`)).toMatchObject({ status: 200, body: { status: 'alive' } });
  });

  it('is ready with Postgres and Temporal, and shows the pause', async () => {
    const { status, body } = await call(`${gateway.url}/readyz`);
    expect(status).toBe(200);
    expect(readyAnswerSchema.parse(body)).toEqual({
      status: 'ready',
      checks: { postgres: 'ok', temporal: 'ok' },
      isDraining: false,
      lastSweepAgeSeconds: null,
      fleet: { isPaused: false, pause: null },
    });
  });

  it('stays ready without Temporal, since jobs are accepted then with 202, and says that it is away', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const workflows = createWorkflowsClient(new Client({ connection }), { deadlineMs: 100 });
    const without = await startTestGateway({ pool: database.pool, workflows });
    const ready = await call(`${without.url}/readyz`);
    expect(ready).toMatchObject({ status: 200, body: { status: 'ready', checks: { postgres: 'ok', temporal: 'away' } } });
    const submitted = await call(`${without.url}/v1/jobs`, { key: testKeys.product, json: submitJobExamples['another kind of job'] });
    expect(submitted).toMatchObject({ status: 202, body: { isStarted: false } });
    await without.stop();
    await connection.close();
  });

  it('is not ready where Postgres takes no writes, and says so', async () => {
    const pool = createPool(`${database.databaseUrl}?options=-c%20default_transaction_read_only%3Don`, { max: 2, applicationName: 'test' });
    const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 5_000 });
    const without = await startTestGateway({ pool, workflows });
    const { status, body } = await call(`${without.url}/readyz`);
    expect({ status, body: readyAnswerSchema.parse(body) }).toMatchObject({
      status: 503,
      body: { checks: { postgres: 'read_only' }, detail: expect.stringMatching(/no writes/), fleet: { isPaused: false } },
    });
    await without.stop();
    await pool.end();
  });

  it('tells how old the last pass over the fleet is', async () => {
    await database.pool.query(
      `insert into yardmaster.sweep_report (started_at, ended_at, kind, is_dry_run, counts, items)
       values (now(), now() - interval '5 min', 'full', false, '{}', '[]'), (now(), now(), 'full', true, '{}', '[]')`,
    );
    const { body } = await call(`${gateway.url}/readyz`);
    await database.pool.query('delete from yardmaster.sweep_report');
    expect(Math.floor(readyAnswerSchema.parse(body).lastSweepAgeSeconds ?? 0)).toBe(300);
  });

  it.each(['/readyz', '/health', '/monitoring/health', '/worker/status', '/worker/health'])(
    'asks no more for 100 who ask for %s in one moment than for one',
    async (path) => {
      const countQuestions = async (callers: number): Promise<{ statements: number; checks: number }> => {
        const counted = countStatements(database.databaseUrl);
        let checks = 0;
        const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 5_000 });
        const check = async (): Promise<void> => {
          checks++;
          await workflows.check();
        };
        const crowded = await startTestGateway({
          pool: counted.pool,
          workflows: { ...workflows, check },
          limits: { readinessKeptMs: 600_000 },
        });
        const statuses = await Promise.all(Array.from({ length: callers }, async () => (await call(`${crowded.url}${path}`)).status));
        expect(new Set(statuses)).toEqual(new Set([200]));
        await crowded.stop();
        await counted.end();
        return { statements: counted.sent(), checks };
      };
      expect(await countQuestions(100)).toEqual(await countQuestions(1));
    },
  );

  it('is not ready without Postgres, and says so', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const pool = createPool('postgres://nobody:x@127.0.0.1:1/none', { max: 1, applicationName: 'test' });
    const without = await startTestGateway({
      pool,
      workflows: createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 }),
    });
    const { status, body } = await call(`${without.url}/readyz`);
    expect(status).toBe(503);
    expect(readyAnswerSchema.parse(body)).toEqual({
      status: 'not_ready',
      checks: { postgres: 'away', temporal: 'away' },
      isDraining: false,
      lastSweepAgeSeconds: null,
      fleet: null,
    });
    const list = await call(`${without.url}/v1/jobs`, { key: testKeys.readOnly });
    expect(list).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(list.headers.get('retry-after')).toBe('2');
    await without.stop();
    await pool.end();
    await connection.close();
  });
});

describe('the pause', () => {
  const post = async (path: string, json: unknown = { reason: 'a test' }) =>
    await call(`${gateway.url}${path}`, { key: testKeys.operator, json });

  it('is written with reason and actor, shown in readiness, and ended', async () => {
    expect(await post('/v1/pause')).toMatchObject({ status: 200, body: { isPaused: true, pause: { reason: 'a test', actor: 'ops' } } });
    const again = await post('/v1/pause', { reason: 'another reason' });
    expect(again).toMatchObject({ status: 200, body: { pause: { reason: 'another reason' } } });
    expect((await call(`${gateway.url}/readyz`)).body).toMatchObject({ status: 'ready', fleet: { isPaused: true } });
    expect(await post('/v1/unpause')).toMatchObject({ status: 200, body: { isPaused: false, pause: null } });
    expect(await post('/v1/unpause')).toMatchObject({ status: 200, body: { isPaused: false } });
  });

  it('asks for the sweep at its end, so that waiting jobs need not wait for the clock', async () => {
    const handle = await temporal.client.schedule.create({
      scheduleId: workerCleanupScheduleId,
      spec: { intervals: [{ every: '1 day' }] },
      action: { type: 'startWorkflow', workflowType: 'workerCleanup', taskQueue: 'nobody', args: [] },
    });
    await post('/v1/pause');
    await post('/v1/unpause');
    const asked = await until(async () => (await handle.describe()).info.numActionsTaken, { what: 'the sweep was asked for' });
    expect(asked).toBe(1);
    await handle.delete();
  });

  it.each([
    ['without a reason', {}],
    ['with an empty reason', { reason: '' }],
    ['with a blank reason', { reason: ' ' }],
    ['with a reason that is no text', { reason: 7 }],
    ['with a reason of a page', { reason: 'x'.repeat(501) }],
    ['with an unknown field', { reason: 'x', until: 'tomorrow' }],
  ])('%s is refused and changes nothing', async (_what, json) => {
    expect(await post('/v1/pause', json)).toMatchObject({ status: 422, body: { code: 'invalid' } });
    expect((await call(`${gateway.url}/readyz`)).body).toMatchObject({ fleet: { isPaused: false } });
  });
});

describe('documents', () => {
  it('are served to anybody, and the page loads nothing from elsewhere and runs nothing', async () => {
    const document = await call(`${gateway.url}/openapi.json`);
    expect(document).toMatchObject({ status: 200, body: { openapi: '3.1.0', servers: [{ url: 'http://gateway.test' }] } });
    const page = await call(`${gateway.url}/docs`);
    expect(page.headers.get('content-type')).toMatch('text/html');
    expect(page.headers.get('content-security-policy')).toMatch("default-src 'none'");
    expect(page.text).not.toMatch(/<script|https?:\/\/(?!gateway\.test|boards\.greenhouse\.io|example\.com)/);
    expect((await call(`${gateway.url}/docs.css`)).headers.get('content-type')).toMatch('text/css');
  });

  it('name no route of the application that is not described', async () => {
    const { body } = await call(`${gateway.url}/openapi.json`);
    expect(Object.keys(body.paths ?? {})).toHaveLength(new Set(endpointNames.map((name) => endpoints[name].path)).size);
    for (const name of endpointNames) {
      const { method, path } = endpoints[name];
      const { status, text } = await tryEndpoint(method, path, testKeys.operator);
      // The document itself shows such an answer.
      expect({ name, isUnknown: status === 404 && text.includes('"code":"not_found"') }).toEqual({ name, isUnknown: false });
    }
  });
});

describe('limits of a caller', () => {
  it('are counted per key, said in the standard headers, and end with 429', async () => {
    const strict = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
      settings: { rateLimitPerMinute: 3 },
    });
    const list = async (key: string) => await call(`${strict.url}/v1/jobs`, { key });
    const replies = [
      await list(testKeys.product),
      await list(testKeys.product),
      await list(testKeys.product),
      await list(testKeys.product),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(replies[0]?.headers.get('ratelimit')).toMatch(/r=2/);
    expect(replies[0]?.headers.get('ratelimit-policy')).toMatch(/q=3; w=60/);
    expect(replies[3]).toMatchObject({ body: { code: 'too_many_requests' } });
    expect(Number(replies[3]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await list(testKeys.readOnly)).status).toBe(200);
    // Guessing keys is counted per address, not per guess.
    const guesses = [await list('guess-1'), await list('guess-2'), await list('guess-3'), await list('guess-4')];
    expect(guesses.map(({ status }) => status)).toEqual([401, 401, 401, 429]);
    expect((await call(`${strict.url}/readyz`)).status).toBe(200);
    await strict.stop();
  });

  it('are counted per attempt for GH workers, who share one secret', async () => {
    const strict = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
      settings: { rateLimitPerMinute: 2 },
    });
    const callback = async (attemptId: string): Promise<number> =>
      (
        await call(`${strict.url}/v1/callbacks/ghosthands/${attemptId}`, {
          json: { job_id: attemptId, status: 'running' },
          headers: { 'x-gh-service-key': testKeys.service },
        })
      ).status;
    const other = id.replace('6f', '7f');
    expect([await callback(id), await callback(id), await callback(id), await callback(other)]).toEqual([200, 200, 429, 200]);
    await strict.stop();
  });
});

it('measures requests by the template of their route', async () => {
  await call(`${gateway.url}/v1/jobs/${id}`, { key: testKeys.readOnly });
  await call(`${gateway.url}/nothing/here`);
  const text = await until(
    async () => {
      const metrics = await gateway.metrics.registry.metrics();
      return metrics.includes('route="none"') ? metrics : null;
    },
    { what: 'the requests are measured' },
  );
  expect(text).toMatch(/yardmaster_http_request_duration_seconds_count\{.*route="\/v1\/jobs\/:jobId".*status="404".*\}/);
  expect(text).not.toMatch(id);
});

it('names in every line the request, and the job or the worker that it is about', async () => {
  await call(`${gateway.url}/v1/jobs/${id}`, { key: testKeys.readOnly, headers: { 'x-request-id': 'find-my-lines' } });
  await call(`${gateway.url}/v1/workers/worker-17`, { key: testKeys.readOnly, headers: { 'x-request-id': 'find-my-worker' } });
  const lineOf = async (requestId: string): Promise<unknown> =>
    await until(
      async () =>
        gateway.logLines
          .join('')
          .split('\n')
          .find((line) => line.includes(requestId)),
      { what: 'the line is written' },
    ).then((line) => JSON.parse(line) as unknown);
  expect(await lineOf('find-my-lines')).toMatchObject({
    level: 'info',
    process: 'test',
    requestId: 'find-my-lines',
    jobId: id,
    status: 404,
  });
  expect(await lineOf('find-my-worker')).toMatchObject({ requestId: 'find-my-worker', workerId: 'worker-17', status: 404 });
});

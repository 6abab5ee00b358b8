import { randomUUID } from 'node:crypto';
import { makeCancelJobId } from '../../src/contracts/ids';
import { createPool } from '../../src/db/pool';
import {
  alertsSchema,
  machineSchema,
  monitoringHealthSchema,
  monitoringMetricsSchema,
  registrySchema,
  workerHealthPageSchema,
  workerStatusPageSchema,
} from '../../src/gateway/compat/monitoring-schemas';
import { deregisteredSchema, sessionsSchema } from '../../src/gateway/compat/valet-fleet-schemas';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, assignAll, emptyTables, type WorkerRows } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000, taskQueue: 'nobody-polls' });
  gateway = await startTestGateway({ pool: database.pool, workflows, limits: { productCommandWaitMs: 300 } });
});
afterAll(async () => await gateway.stop());
beforeEach(async () => await emptyTables(database.pool));

/** As VALET's client does: its header on the API, none on the worker port (valet §1.1). */
const get = async (path: string): Promise<Reply> =>
  await call(`${gateway.url}${path}`, { headers: { 'x-gh-service-key': testKeys.service } });
const open = async (path: string): Promise<Reply> => await call(`${gateway.url}${path}`);
const send = async (method: string, path: string, json?: object): Promise<Reply> =>
  await call(`${gateway.url}${path}`, {
    method,
    headers: { 'x-gh-service-key': testKeys.service },
    ...(json === undefined ? {} : { json }),
  });

const busyWorker = async (
  more: Partial<WorkerRows> = {},
): Promise<{ workerId: string; jobId: string; attemptId: string; instanceId: string | null }> => {
  const { workerId, instanceId } = await addWorker(database.pool, more);
  const jobId = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: workerId });
  const [assigned] = await assignAll(database.pool);
  const attemptId = assigned?.attemptId ?? '';
  await database.pool.query('update gh_worker_registry set current_job_id = $2 where worker_id = $1', [workerId, attemptId]);
  return { workerId, jobId, attemptId, instanceId };
};

describe('the monitoring pages', () => {
  it('tell health by checks, and a silent job as degraded', async () => {
    expect(monitoringHealthSchema.parse((await open('/monitoring/health')).body).status).toBe('healthy');
    const { workerId } = await addWorker(database.pool);
    const jobId = await addWaitingJob(database.pool);
    const attemptId = await addAttempt(database.pool, { jobId, workerId, state: 'running' });
    await database.pool.query(
      `insert into gh_automation_jobs (id, user_id, job_type, target_url, task_description, status, last_heartbeat)
       values ($1, $2, 'apply', 'https://jobs.test', 'x', 'running', now() - interval '6 min')`,
      [attemptId, randomUUID()],
    );
    const { status, checks } = monitoringHealthSchema.parse((await open('/monitoring/health')).body);
    expect(status).toBe('degraded');
    expect(checks.find(({ name }) => name === 'worker_heartbeat')).toMatchObject({
      status: 'degraded',
      message: '1 job(s) with stale heartbeat',
    });

    const { alerts } = alertsSchema.parse((await get('/monitoring/alerts')).body);
    expect(alerts).toMatchObject([{ id: 'stuck_jobs_db', severity: 'warning', metadata: { stuckJobIds: [jobId] } }]);
  });

  it('tell that Postgres is away with a 503, and nothing of why', async () => {
    const away = createPool('postgres://nobody:secretword@127.0.0.1:1/none', { max: 1, applicationName: 'test' });
    const blind = await startTestGateway({ pool: away, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
    const reply = await call(`${blind.url}/monitoring/health`);
    expect(reply.status).toBe(503);
    expect(monitoringHealthSchema.parse(reply.body).checks[0]).toMatchObject({
      name: 'database',
      status: 'unhealthy',
      message: 'Postgres does not answer',
    });
    expect(await call(`${blind.url}/health`)).toMatchObject({ status: 200, body: { status: 'ok', api_healthy: false, deploySafe: false } });
    await blind.stop();
    await away.end();
  });

  it('count jobs, workers and requests', async () => {
    await busyWorker();
    await addWaitingJob(database.pool);
    const ended = await addWaitingJob(database.pool, { acceptedAgoMs: 10_000 });
    await database.pool.query(`update yardmaster.job set state = 'succeeded', ended_at = now(), attempts = 2 where job_id = $1`, [ended]);
    const { jobs, worker, api } = monitoringMetricsSchema.parse((await open('/monitoring/metrics/json')).body);
    expect(jobs).toMatchObject({ completed: 1, failed: 0, retried: 1 });
    expect(jobs.avgDurationMs).toBeGreaterThanOrEqual(10_000);
    expect(worker).toEqual({ activeJobs: 1, maxConcurrent: 1, totalProcessed: 1, queueDepth: 1 });
    expect(api.totalRequests).toBeGreaterThan(0);
    expect(api.requestsByPath['/monitoring/health']).toBeGreaterThan(0);
  });

  it('show the registry with the public job, newest registration first', async () => {
    const { workerId, jobId, attemptId } = await busyWorker();
    await addWorker(database.pool, { status: 'offline' });
    const page = await get('/monitoring/workers');
    const { count, workers } = registrySchema.parse(page.body);
    expect(count).toBe(2);
    expect(workers.find((worker) => worker.worker_id === workerId)).toMatchObject({ current_job_id: jobId, status: 'active' });
    expect(page.text).not.toContain(attemptId);
  });

  it('tell the machine', async () => {
    expect(machineSchema.parse((await open('/monitoring/system')).body).cpu.cores).toBeGreaterThan(0);
  });

  it.each(['/monitoring/workers', '/monitoring/alerts'])('%s, which names somebody, wants a key', async (path) => {
    expect(await open(path)).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
  });
});

describe('the worker pages', () => {
  it('show the fleet as one worker, with GH’s codes', async () => {
    await addWorker(database.pool);
    expect(workerStatusPageSchema.parse((await open('/worker/status')).body)).toMatchObject({
      active_jobs: 0,
      max_concurrent: 1,
      is_draining: false,
    });
    expect(await open('/worker/health')).toMatchObject({ status: 200, body: { status: 'idle', active_jobs: 0, deploy_safe: true } });
    await busyWorker();
    const busy = await open('/worker/health');
    expect(busy.status).toBe(503);
    expect(workerHealthPageSchema.parse(busy.body)).toEqual({ status: 'busy', active_jobs: 1, deploy_safe: false });
  });

  it('drain one worker, or, for an operator and with no slip in the body, pause the fleet', async () => {
    const { workerId } = await addWorker(database.pool);
    expect((await call(`${gateway.url}/worker/drain`, { method: 'POST' })).status).toBe(401);
    const one = await call(`${gateway.url}/worker/drain`, { key: testKeys.operator, json: { worker_id: workerId } });
    expect(one).toMatchObject({ status: 200, body: { status: 'draining', active_jobs: 0, worker_id: workerId } });
    expect((await database.pool.query('select from yardmaster.host_hold where expires_at is not null')).rowCount).toBe(1);
    expect((await open('/worker/status')).body.is_draining).toBe(false);
    expect(await call(`${gateway.url}/worker/drain`, { method: 'POST', key: testKeys.deployer })).toMatchObject({ status: 403 });
    const slip = await call(`${gateway.url}/worker/drain`, { key: testKeys.operator, json: { workerId } });
    expect(slip).toMatchObject({ status: 422, body: { details: [{ field: 'workerId', message: 'unknown field' }] } });
    expect(await open('/worker/status')).toMatchObject({ body: { is_draining: false } });
    const all = await call(`${gateway.url}/worker/drain`, { method: 'POST', key: testKeys.operator });
    expect(all).toMatchObject({ status: 200, body: { status: 'draining', worker_id: 'yardmaster' } });
    expect(await open('/worker/health')).toMatchObject({ status: 503, body: { status: 'draining', deploy_safe: false } });
  });
});

describe('deregister', () => {
  it.each([
    ['worker id', (worker: WorkerRows) => worker.workerId],
    ['target id', () => 'target-7'],
    ['instance id', (worker: WorkerRows) => worker.instanceId],
  ])('finds a worker by its %s, in both vocabularies, and puts it offline', async (_what, idOf) => {
    const worker = await addWorker(database.pool, { targetWorkerId: 'target-7' });
    const other = await addWorker(database.pool);
    const reply = await send('POST', '/api/v1/gh/valet/workers/deregister', {
      target_worker_id: idOf(worker),
      reason: 'sandbox gone',
      drain_timeout_seconds: 30,
    });
    expect(reply.status).toBe(200);
    expect(deregisteredSchema.parse(reply.body)).toEqual({
      deregistered: [worker.workerId],
      deregistered_workers: [worker.workerId],
      cancelled_jobs: [],
      cancelled_job_ids: [],
      reason: 'sandbox gone',
      jobs: [],
    });
    const { rows } = await database.pool.query('select worker_id, status from gh_worker_registry order by worker_id = $1 desc', [
      worker.workerId,
    ]);
    expect(rows).toEqual([
      { worker_id: worker.workerId, status: 'offline' },
      { worker_id: other.workerId, status: 'active' },
    ]);
  });

  it('finds the worker of a sandbox, and keeps jobs away from it even when it beats again', async () => {
    const worker = await addWorker(database.pool, { instanceId: 'i-sand' });
    const sandboxId = randomUUID();
    await database.pool.query(
      `insert into sandboxes (id, name, environment, instance_id, instance_type) values ($1, 's', 'staging', 'i-sand', 't3')`,
      [sandboxId],
    );
    const reply = await send('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: sandboxId });
    expect(reply.body).toMatchObject({ deregistered: [worker.workerId], reason: null });
    await database.pool.query(`update gh_worker_registry set status = 'active', last_heartbeat = now()`);
    await addWaitingJob(database.pool);
    expect(await assignAll(database.pool)).toEqual([]);
    await database.pool.query('delete from sandboxes');
  });

  it('lets the workflow of its job decide, by a cancel, and writes nothing over it', async () => {
    const { workerId, jobId, attemptId } = await busyWorker();
    const before = await database.pool.query('select status, error_code from gh_automation_jobs where id in ($1, $2) order by id', [
      jobId,
      attemptId,
    ]);
    const reply = await send('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: workerId, cancel_active_jobs: true });
    expect(deregisteredSchema.parse(reply.body)).toMatchObject({
      cancelled_jobs: [],
      jobs: [{ job_id: jobId, outcome: null, message: 'Its cancel is under way' }],
    });
    expect((await temporal.client.workflow.getHandle(makeCancelJobId({ jobId })).describe()).type).toBe('cancelJob');
    const after = await database.pool.query('select status, error_code from gh_automation_jobs where id in ($1, $2) order by id', [
      jobId,
      attemptId,
    ]);
    expect(after.rows).toEqual(before.rows);
    const { rows } = await database.pool.query(`select act from yardmaster.audit where subject in ($1, $2) order by audit_id`, [
      workerId,
      jobId,
    ]);
    expect(rows.map(({ act }: { act: string }) => act)).toEqual(expect.arrayContaining(['deregister', 'cancel']));
  });

  it('leaves the job to its worker without a cancel, and says so', async () => {
    const { workerId, jobId } = await busyWorker();
    const reply = await send('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: workerId });
    expect(reply.body).toMatchObject({ cancelled_jobs: [], jobs: [{ job_id: jobId, outcome: null }] });
    expect((await database.pool.query('select from yardmaster.command where job_id = $1', [jobId])).rowCount).toBe(0);
  });

  it('of nobody is a 404 in GH’s words', async () => {
    expect(await send('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: 'nobody' })).toMatchObject({
      status: 404,
      body: { error: 'not_found' },
    });
    expect(await send('POST', '/api/v1/gh/valet/workers/deregister', {})).toMatchObject({
      status: 422,
      body: { error: 'validation_error' },
    });
  });
});

describe('browser sessions', () => {
  const userId = randomUUID();
  beforeEach(async () => {
    await database.pool.query('delete from gh_browser_sessions');
    await database.pool.query(
      `insert into gh_browser_sessions (user_id, domain, session_data, encryption_key_id) values ($1, 'a.test', 'sealed-cookies', 'k'), ($1, 'b.test', 'sealed-cookies', 'k'), ($2, 'a.test', 'x', 'k')`,
      [userId, randomUUID()],
    );
  });
  const left = async (): Promise<number> =>
    (await database.pool.query('select from gh_browser_sessions where user_id = $1', [userId])).rowCount ?? 0;

  it.each([`/api/v1/gh/sessions?user_id=${userId}`, `/api/v1/gh/valet/sessions/${userId}`])(
    'are listed at %s without what is in them',
    async (path) => {
      const reply = await get(path);
      const { sessions, count } = sessionsSchema.parse(reply.body);
      expect([count, sessions.map(({ domain }) => domain).toSorted()]).toEqual([2, ['a.test', 'b.test']]);
      expect(reply.text).not.toContain('sealed-cookies');
    },
  );

  it.each([`/api/v1/gh/sessions?user_id=${userId}&domain=a.test`, `/api/v1/gh/valet/sessions/${userId}/a.test`])(
    'one is cleared at %s, once',
    async (path) => {
      expect(await send('DELETE', path)).toMatchObject({ status: 200, body: { user_id: userId, domain: 'a.test', deleted: true } });
      expect(await send('DELETE', path)).toMatchObject({ status: 404, body: { error: 'not_found' } });
      expect(await left()).toBe(1);
    },
  );

  it.each([`/api/v1/gh/sessions?user_id=${userId}&all=true`, `/api/v1/gh/valet/sessions/${userId}`])(
    'all are cleared at %s, of that user alone',
    async (path) => {
      expect(await send('DELETE', path)).toMatchObject({ status: 200, body: { user_id: userId, deleted_count: 2 } });
      expect((await database.pool.query('select from gh_browser_sessions')).rowCount).toBe(1);
    },
  );

  it('are not cleared by a request that does not say which', async () => {
    expect((await send('DELETE', `/api/v1/gh/sessions?user_id=${userId}`)).status).toBe(400);
    expect(await left()).toBe(2);
  });
});

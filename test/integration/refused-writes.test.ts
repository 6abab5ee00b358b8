import type { Pool } from 'pg';
import { createJobActivities } from '../../activities/jobs/jobs';
import { endWhatIsRefused } from '../../activities/database-border';
import { createPool, withTransaction } from '../../src/db/pool';
import { readDatabaseState } from '../../src/db/database-state';
import { createLog } from '../../src/log';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createTestDatabase, runAsAdmin, type TestDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { collectLines } from '../support/log-lines';
import { makeDeps } from '../support/orchestrator-deps';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const temporal = withTemporal();
let database: TestDatabase;
let pool: Pool;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.pool.query(
    `insert into gh_worker_registry (worker_id, status, last_heartbeat, ec2_ip) values ('worker-1', 'active', now(), '127.0.1.1')`,
  );
  pool = createPool(database.databaseUrl, { max: 4, applicationName: 'yardmaster-test-refused', isDirect: true });
  gateway = await startTestGateway({ pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }) });
});

afterAll(async () => {
  await gateway.stop();
  await pool.end();
  await database.drop();
});

/** As a provider does it whose disk is full: for new sessions, and the present ones end. */
const setReadOnly = async (isReadOnly: boolean): Promise<void> => {
  await runAsAdmin(process.env['TEST_DATABASE_URL'] ?? '', async (admin) => {
    await admin.query(`alter database ${database.name} set default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
    if (isReadOnly) await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [database.name]);
  });
};

const job = {
  userId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
  targetUrl: 'https://sim.test/quick',
  profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
  resume: { storagePath: 'resumes/ada.pdf' },
};
const valetJob = {
  valet_task_id: 'b2f7b6a4-5f0a-4d5e-9d8c-2f0a4d5e9d8c',
  valet_user_id: job.userId,
  target_url: job.targetUrl,
  resume: { storage_path: 'resumes/ada.pdf' },
  profile: {
    first_name: 'Ada',
    last_name: 'Lovelace',
    email: 'ada@example.com',
    phone: '1',
    location: { city: 'B', state: 'BE', country: 'DE' },
    work_history: [],
    education: [],
    skills: [],
  },
};

describe('a database that takes no writes', () => {
  beforeAll(async () => await setReadOnly(true));
  afterAll(async () => await setReadOnly(false));

  const send = async (path: string, json: unknown, key: string) => await call(`${gateway.url}${path}`, { key, json });

  it.each([
    ['native', '/v1/jobs', job, testKeys.product],
    ['native', '/v1/pause', { reason: 'test' }, testKeys.operator],
    ['the product’s', '/api/v1/gh/valet/apply', valetJob, testKeys.service],
    ['ATM’s', '/fleet/127.0.1.1/worker/drain', {}, testKeys.operator],
  ])('is an outage in %s words: %s', async (_words, path, json, key) => {
    const reply = await send(path, json, key);
    expect({ status: reply.status, retryAfter: reply.headers.get('retry-after'), text: reply.text }).toMatchObject({
      status: 503,
      retryAfter: '2',
      text: expect.stringContaining('takes no writes'),
    });
  });

  it('is read all the same', async () => {
    expect((await call(`${gateway.url}/v1/jobs`, { key: testKeys.readOnly })).status).toBe(200);
    expect((await call(`${gateway.url}/v1/fleet`, { key: testKeys.readOnly })).status).toBe(200);
  });

  it('is not ready, and says why', async () => {
    expect(await call(`${gateway.url}/readyz`)).toMatchObject({ status: 503, body: { checks: { postgres: 'read_only' } } });
  });

  it('is written again as soon as it takes writes, by the sessions that the pool had', async () => {
    await Promise.all([1, 2, 3, 4].map(async () => await pool.query('select pg_sleep(0.05)')));
    await setReadOnly(false);
    const accepted = async (): Promise<boolean> => (await send('/v1/jobs', job, testKeys.product)).status <= 202;
    await until(accepted, { what: 'a job is accepted' });
    await until(async () => (await readDatabaseState(pool)).kind === 'writable', { what: 'it is writable' });
    const write = async (): Promise<boolean> =>
      await withTransaction(pool, async (client) => await client.query('create temporary table x () on commit drop')).then(
        () => true,
        () => false,
      );
    await until(write, { what: 'a transaction writes' });
    expect(await call(`${gateway.url}/readyz`)).toMatchObject({ body: { checks: { postgres: 'ok' } } });
  });
});

it('a statement that waits too long for a lock is an outage', async () => {
  const slow = createPool(`${database.databaseUrl}?options=${encodeURIComponent('-c statement_timeout=100')}`, {
    max: 2,
    applicationName: 'yardmaster-test-slow',
    isDirect: true,
  });
  const behind = await startTestGateway({ pool: slow, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }) });
  const holder = await database.pool.connect();
  try {
    await holder.query('begin; lock table yardmaster.host_hold in access exclusive mode');
    const reply = await call(`${behind.url}/v1/pause`, { key: testKeys.operator, json: { reason: 'test' } });
    expect({ status: reply.status, retryAfter: reply.headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '2' });
  } finally {
    await holder.query('rollback');
    holder.release();
    await behind.stop();
    await slow.end();
  }
});

describe('at the border of an activity', () => {
  const { destination, lines } = collectLines();
  const log = createLog({ level: 'debug', process: 'test', destination });
  const activities = () => endWhatIsRefused(createJobActivities(makeDeps(pool)), log);

  it('a value that Postgres can never store ends the step for good, with a message and a line of the log that do not repeat it', async () => {
    const open = activities().openJob({ jobId: 'tuesday', owner: 'test' });
    await expect(open).rejects.toMatchObject({ nonRetryable: true, type: 'RefusedByDatabase', message: expect.stringContaining('22P02') });
    await expect(open).rejects.not.toMatchObject({ message: expect.stringContaining('tuesday') });
    expect(lines.join('')).toContain('openJob');
    expect(lines.join('')).not.toContain('tuesday');
  });

  it('an outage goes on being tried', async () => {
    const { rows } = await database.pool.query<{ job_id: string }>('select job_id from yardmaster.job limit 1');
    await setReadOnly(true);
    await until(async () => (await readDatabaseState(pool)).kind === 'read_only', { what: 'it is read-only' });
    const open = activities().openJob({ jobId: rows[0]?.job_id ?? '', owner: 'test' });
    await expect(open).rejects.toMatchObject({ code: '25006' });
    await setReadOnly(false);
  });
});

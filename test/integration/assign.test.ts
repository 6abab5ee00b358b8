import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { limits } from '../../src/contracts/limits';
import { withDatabase } from '../support/database';
import {
  addAttempt,
  addWaitingJob,
  addWorker,
  assignAll,
  callbackBaseUrl,
  claim,
  emptyTables,
  type WorkerRows,
} from '../support/fleet-rows';
import { until } from '../support/until';

describe.each(['main', 'main-repaired', 'staging'] as const)('an attempt row in the tables of %s', (variant) => {
  const database = withDatabase({ variant });

  test('is what design §4.1 says, column by column, and the job row is not', async () => {
    const jobId = await addWaitingJob(database.pool, {
      idempotencyKey: `key-${variant}`,
      timeoutSeconds: 600,
      priority: 3,
      executionMode: 'ai_only',
    });
    const { workerId } = await addWorker(database.pool);
    const [assigned] = await assignAll(database.pool);
    const row = await readRow(assigned?.attemptId);
    const jobRow = await readRow(jobId);
    expect(row).toMatchObject({
      created_by: 'yardmaster',
      job_type: 'apply',
      status: 'pending',
      worker_affinity: 'strict',
      target_worker_id: workerId,
      worker_id: null,
      max_retries: -1,
      retry_count: 0,
      valet_task_id: null,
      idempotency_key: null,
      scheduled_at: null,
      started_at: null,
      last_heartbeat: null,
      priority: 3,
      timeout_seconds: 600,
      execution_mode: 'ai_only',
      callback_url: `${callbackBaseUrl}/v1/callbacks/ghosthands/${assigned?.attemptId}`,
      metadata: { yardmaster: { jobId, generation: 1, attemptNumber: 1 } },
    });
    for (const column of ['user_id', 'target_url', 'task_description', 'input_data', 'resume_ref', 'tags'])
      expect(row[column]).toEqual(jobRow[column]);
    expect(jobRow).toMatchObject({
      created_by: 'yardmaster',
      status: 'pending',
      worker_affinity: 'strict',
      target_worker_id: null,
      worker_id: null,
      callback_url: null,
      max_retries: -1,
      idempotency_key: `key-${variant}`,
      valet_task_id: expect.any(String),
      last_heartbeat: expect.any(Date),
      completed_at: null,
    });
  });

  test('is claimed by its worker alone, and the job row by nobody, whatever the defaults of the table are', async () => {
    await emptyTables(database.pool);
    // The real defaults make a row that says nothing claimable by anybody.
    await insertPlainRow();
    await expect(claim(database.pool, 'somebody')).resolves.toEqual(expect.any(String));
    await emptyTables(database.pool);
    for (const [column, value] of [
      ['status', 'queued'],
      ['worker_affinity', 'any'],
      ['target_worker_id', 'somebody'],
      ['callback_url', 'http://elsewhere.test'],
      ['max_retries', '3'],
    ]) {
      await database.pool.query(`alter table gh_automation_jobs alter column ${column} set default '${value}'`);
    }
    const jobId = await addWaitingJob(database.pool);
    for (const workerId of ['somebody', '', jobId]) await expect(claim(database.pool, workerId)).resolves.toBeNull();
    const { workerId } = await addWorker(database.pool);
    const [assigned] = await assignAll(database.pool);
    await expect(claim(database.pool, 'somebody')).resolves.toBeNull();
    await expect(claim(database.pool, workerId)).resolves.toBe(assigned?.attemptId);
    await expect(readRow(jobId)).resolves.toMatchObject({ status: 'pending', callback_url: null });
  });

  test('is notified to the workers once', async () => {
    await emptyTables(database.pool);
    const listener = new Client({ connectionString: database.databaseUrl });
    await listener.connect();
    const heard: unknown[] = [];
    listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload ?? '{}')));
    await listener.query('listen gh_job_created');
    await addWaitingJob(database.pool);
    await addWorker(database.pool);
    const [assigned] = await assignAll(database.pool);
    const ofAttempt = (): unknown[] => heard.filter((message) => JSON.stringify(message).includes(assigned?.attemptId ?? 'none'));
    await until(() => ofAttempt().length > 0, { what: 'the workers are told' });
    await listener.query('select 1');
    await listener.end();
    expect(ofAttempt()).toEqual([{ id: assigned?.attemptId, job_type: 'apply', priority: 5, user_id: expect.any(String) }]);
  });

  const readRow = async (id: string | undefined): Promise<Record<string, unknown>> => {
    const { rows } = await database.pool.query<Record<string, unknown>>('select * from gh_automation_jobs where id = $1', [id]);
    return rows[0] ?? {};
  };
  const insertPlainRow = async (): Promise<void> => {
    await database.pool.query(
      `insert into gh_automation_jobs (user_id, job_type, target_url, task_description) values ($1, 'apply', 'https://jobs.test', 'x')`,
      [randomUUID()],
    );
  };
});

describe('a worker is idle', () => {
  const database = withDatabase();
  beforeEach(async () => await emptyTables(database.pool));

  const isIdle = async (): Promise<boolean> => {
    await addWaitingJob(database.pool);
    return (await assignAll(database.pool)).length === 1;
  };

  test.each<[what: string, worker: Partial<WorkerRows>]>([
    ['in the ordinary case', {}],
    ['with the oldest heartbeat that is fresh', { heartbeatAgeMs: limits.workerHeartbeatFreshMs - 5_000 }],
    ['with the oldest probe that is fresh', { probeAgeMs: limits.probeFreshMs - 5_000 }],
    ['without an instance id', { instanceId: null }],
  ])('%s', async (_what, worker) => {
    await addWorker(database.pool, worker);
    await expect(isIdle()).resolves.toBe(true);
  });

  test.each<[what: string, worker: Partial<WorkerRows>]>([
    ['when it drains, by the registry', { status: 'draining' }],
    ['when it drains, by its port', { isDraining: true }],
    ['when it is offline', { status: 'offline' }],
    ['when its heartbeat is stale', { heartbeatAgeMs: limits.workerHeartbeatFreshMs + 1_000 }],
    ['when it was never probed', { probeAgeMs: null }],
    ['when its probe is stale', { probeAgeMs: limits.probeFreshMs + 1_000 }],
    ['when its port does not answer', { isWorkerUp: false }],
    ['when another worker answers at its host', { probedWorkerId: 'another' }],
    ["when it takes GH's queue, which ignores affinity", { dispatchMode: 'queue' }],
    ['when its dispatch mode is a word that we do not know', { dispatchMode: 'hybrid' }],
    ['when its poller is stopped', { isRunning: false }],
    ['when it has a job', { activeJobs: 1 }],
  ])('not %s', async (_what, worker) => {
    await addWorker(database.pool, worker);
    await expect(isIdle()).resolves.toBe(false);
  });

  test.each<[what: string, hold: (worker: WorkerRows) => [host: string, expiresInMs: number | null], idle: boolean]>([
    ['not while its address is held', ({ host }) => [host, null], false],
    ['not while its instance is held', ({ instanceId }) => [instanceId ?? '', null], false],
    ['not while the fleet is paused', () => ['*', null], false],
    ['not while its hold runs', ({ host }) => [host, 60_000], false],
    ['once its hold has run out', ({ host }) => [host, -1], true],
    ['while another host is held', () => ['10.9.9.9', null], true],
  ])('%s', async (_what, hold, idle) => {
    const worker = await addWorker(database.pool);
    const [host, expiresInMs] = hold(worker);
    await database.pool.query(
      `insert into yardmaster.host_hold (host, reason, actor, expires_at) values ($1, 'a test', 'test', now() + $2::int * interval '1 ms')`,
      [host, expiresInMs],
    );
    await expect(isIdle()).resolves.toBe(idle);
  });

  test.each<[what: string, twin: Partial<WorkerRows>, idle: boolean]>([
    ['not while a second process answers to its id: both would claim', {}, false],
    ['although a second process answered to its id once', { probeAgeMs: limits.probeFreshMs + 1_000 }, true],
    ['although a host whose port is down had its id', { isWorkerUp: false }, true],
  ])('%s', async (_what, twin, idle) => {
    const { workerId } = await addWorker(database.pool);
    await addWorker(database.pool, { ...twin, workerId });
    await expect(isIdle()).resolves.toBe(idle);
  });

  test.each<[what: string, attempt: Omit<Parameters<typeof addAttempt>[1], 'jobId' | 'workerId'>, idle: boolean]>([
    ['not while an attempt is aimed at it', { state: 'assigned' }, false],
    ['not while an attempt runs there, whatever its port says', { state: 'running' }, false],
    ['after an attempt has ended', { endedAgoMs: 0 }, true],
    ['not while a human-wait stayed behind in its process', { hasLeftWaiter: true, endedAgoMs: 60_000 }, false],
    ['after it restarted, whatever stayed behind before', { hasLeftWaiter: true, endedAgoMs: 4_000_000 }, true],
    ['after a cancel restarted it, though the attempt was closed later', { hasLeftWaiter: true, endedAgoMs: 0, tookMs: 4_000_000 }, true],
    ['not for a while after it did not claim', { endReason: 'not_claimed', endedAgoMs: 60_000 }, false],
    ['a while after it did not claim', { endReason: 'not_claimed', endedAgoMs: limits.deafWorkerMs + 1_000 }, true],
    ['after a row was taken back for a cancel, which says nothing about it', { endReason: 'taken_back', endedAgoMs: 1_000 }, true],
  ])('%s', async (_what, attempt, idle) => {
    const earlier = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: 'nobody' });
    const { workerId } = await addWorker(database.pool);
    await addAttempt(database.pool, { jobId: earlier, workerId, ...attempt });
    await expect(isIdle()).resolves.toBe(idle);
  });

  test('soon after it did not claim, if its process has restarted since', async () => {
    const earlier = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: 'nobody' });
    const { workerId } = await addWorker(database.pool, { processAgeMs: 10_000 });
    await addAttempt(database.pool, { jobId: earlier, workerId, endReason: 'not_claimed', endedAgoMs: 20_000 });
    await expect(isIdle()).resolves.toBe(true);
  });
});

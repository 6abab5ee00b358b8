import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { createJobActivities } from '../../activities/jobs/jobs';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { assignChannel, assignWaitingJobs, type Assignment } from '../../src/db/jobs/assign';
import { clearLeftWaiters } from '../../src/db/attempts/orphaned-attempts';
import { holdHost, releaseHost } from '../../src/db/fleet/holds';
import type { Listener } from '../../src/db/listen';
import { createPool } from '../../src/db/pool';
import { saveProbes } from '../../src/db/fleet/workers';
import { createLog } from '../../src/log';
import { assignerSettings, startAssigner } from '../../workers/assigner';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, callbackBaseUrl, completeJob, emptyTables, type WorkerRows } from '../support/fleet-rows';
import { collectLines } from '../support/log-lines';
import { makeNewJob, testActor } from '../support/new-job';
import { makeDeps } from '../support/orchestrator-deps';
import { explainAll } from '../support/query-plans';
import { until } from '../support/until';

const database = withDatabase();
const running: Listener[] = [];
let woken: string[] = [];
const { destination, lines: warned } = collectLines();

beforeEach(async () => {
  woken = [];
  warned.length = 0;
  await emptyTables(database.pool);
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.close();
  await lease('', '-1 s');
});

const lease = async (holder: string, ends: string): Promise<unknown> =>
  await database.pool.query(`update yardmaster.assigner set holder = $1, leased_until = now() + $2::interval`, [holder, ends]);
const log = createLog({ level: 'warn', process: 'test', destination });
/** One that looks by itself only every ten minutes: whatever it finds sooner it was called for. */
const start = ({ everyMs = 600_000, leaseMs = 3_000, pool = database.pool } = {}): Listener => {
  const assigner = startAssigner({
    pool,
    directUrl: database.databaseUrl,
    callbackBaseUrl,
    workflows: { wake: async (jobId) => void woken.push(jobId) },
    limits: { ...limits, assignEveryMs: everyMs, assignLeaseMs: leaseMs },
    log,
  });
  running.push(assigner);
  return assigner;
};
/** It listens and has looked once. */
const startListening = async (): Promise<void> => {
  const { isListening } = start();
  await until(isListening, { what: 'the assigner listens' });
  // Its first look, and the one that follows when it listens, are through.
  await until(async () => (await holderOfLease()) !== null, { what: 'it has the lease' });
  await lease('', '-1 s');
  await database.pool.query(`select pg_notify('${assignChannel}', '')`);
  await until(async () => (await holderOfLease()) !== null, { what: 'it has looked once more' });
};
const holderOfLease = async (): Promise<string | null> => {
  const { rows } = await database.pool.query<{ holder: string }>('select holder from yardmaster.assigner where leased_until > now()');
  return rows[0]?.holder ?? null;
};
const workerOf = async (jobId: string): Promise<string | null> => {
  const { rows } = await database.pool.query<{ worker_id: string }>(
    'select worker_id from yardmaster.attempt where job_id = $1 and ended_at is null',
    [jobId],
  );
  return rows[0]?.worker_id ?? null;
};
const untilAssigned = async (jobId: string, worker: Pick<WorkerRows, 'workerId'>): Promise<void> =>
  void (await until(async () => (await workerOf(jobId)) === worker.workerId, { what: `${worker.workerId} has the job` }));
const accept = async (pool: Pool): Promise<string> => {
  const job = makeNewJob();
  await acceptJob(pool, job, testActor, limits);
  return job.jobId;
};

test('P1: an accepted job goes to an idle worker before any workflow knows of it', async () => {
  await startListening();
  const worker = await addWorker(database.pool);
  const jobId = await accept(database.pool);
  await untilAssigned(jobId, worker);
  expect(woken).toEqual([]);
  const opened = await createJobActivities(makeDeps(database.pool)).openJob({ jobId, owner: randomUUID() });
  expect(opened).toMatchObject({ state: 'assigned', attempt: { workerId: worker.workerId } });
});

describe('what makes a pair possible calls the assigner:', () => {
  const probeOf = ({ host, workerId }: WorkerRows) => ({
    host,
    workerId,
    isApiUp: true,
    imageTag: null,
    isWorkerUp: true,
    dispatchMode: 'legacy',
    isRunning: true,
    isDraining: false,
    activeJobs: 0,
    uptimeMs: 60_000,
    sentAtMs: Date.now(),
    problem: null,
  });
  const endOf = async (workerId: string): Promise<void> => {
    const { rows } = await database.pool.query<{ attempt_id: string; job_id: string }>(
      'select attempt_id, job_id from yardmaster.attempt where worker_id = $1 and ended_at is null',
      [workerId],
    );
    const [attempt] = rows;
    if (attempt === undefined) throw new Error('that worker has no attempt');
    await completeJob(database.pool, { jobId: attempt.job_id, attemptId: attempt.attempt_id });
  };

  test.each<
    [
      what: string,
      before: (worker: WorkerRows, jobId: string) => Promise<unknown>,
      change: (worker: WorkerRows, jobId: string) => Promise<unknown>,
    ]
  >([
    [
      'the end of a hold',
      async ({ host }) => await holdHost(database.pool, { host, reason: 'a test', actor: 'zoe', expiresInMs: null }),
      async ({ host }) => await releaseHost(database.pool, host),
    ],
    [
      'the end of an attempt',
      async ({ workerId }) => {
        const jobId = await addWaitingJob(database.pool);
        await database.pool.query(`update yardmaster.job set state = 'running' where job_id = $1`, [jobId]);
        await addAttempt(database.pool, { jobId, workerId, state: 'running' });
      },
      async ({ workerId }) => await endOf(workerId),
    ],
    [
      'a probe that finds an idle worker',
      async ({ host }) => await database.pool.query('update yardmaster.host_probe set active_jobs = 1 where host = $1', [host]),
      async (worker) => await saveProbes(database.pool, [probeOf(worker)], { jitterMs: limits.processStartJitterMs }),
    ],
    [
      'the end of a wait that a job had left behind',
      async ({ workerId }) => {
        const jobId = await addWaitingJob(database.pool);
        await database.pool.query(`update yardmaster.job set state = 'succeeded', ended_at = now() where job_id = $1`, [jobId]);
        await addAttempt(database.pool, { jobId, workerId, hasLeftWaiter: true });
      },
      async () => await clearLeftWaiters(database.pool),
    ],
    [
      'the step at the end of a back-off',
      async (_worker, jobId) =>
        await database.pool.query(`update yardmaster.job set not_before = now() + interval '1 h' where job_id = $1`, [jobId]),
      async (_worker, jobId) => {
        await database.pool.query(`update yardmaster.job set not_before = now() where job_id = $1`, [jobId]);
        await createJobActivities(makeDeps(database.pool)).advanceJob({ jobId, owner: 'run' });
      },
    ],
  ])('%s', async (_what, before, change) => {
    const jobId = await addWaitingJob(database.pool);
    const worker = await addWorker(database.pool);
    await before(worker, jobId);
    await startListening();
    expect(await workerOf(jobId)).toBeNull();
    await change(worker, jobId);
    await untilAssigned(jobId, worker);
  });
});

test('a workflow that waits for a worker is told of it', async () => {
  const jobId = await addWaitingJob(database.pool);
  const worker = await addWorker(database.pool);
  await startListening();
  await untilAssigned(jobId, worker);
  await until(() => woken.length === 1, { what: 'the workflow is told' });
  expect(woken).toEqual([jobId]);
});

test('what calls nobody is found by looking: a hold that runs out', async () => {
  const worker = await addWorker(database.pool);
  await holdHost(database.pool, { host: worker.host, reason: 'a test', actor: 'zoe', expiresInMs: 300 });
  const jobId = await addWaitingJob(database.pool);
  start({ everyMs: 50 });
  await untilAssigned(jobId, worker);
  expect(await until(() => woken.at(0), { what: 'its workflow is told' })).toBe(jobId);
});

describe('of several assigners', () => {
  test('one assigns while its lease lasts, and when it is gone without a word another takes over', async () => {
    const worker = await addWorker(database.pool);
    const jobId = await accept(database.pool);
    await lease('one that was killed', '1.5 s');
    const { rows: leases } = await database.pool.query<{ ends: Date }>('select leased_until as ends from yardmaster.assigner');
    start({ everyMs: 50 });
    await untilAssigned(jobId, worker);
    const { rows } = await database.pool.query<{ at: Date }>('select assigned_at as at from yardmaster.attempt');
    expect(rows[0]?.at.getTime()).toBeGreaterThanOrEqual(leases[0]?.ends.getTime() ?? Infinity);
  });

  test('another takes over at once from one that stops in order', async () => {
    start({ everyMs: 50, leaseMs: 600_000 });
    await until(async () => (await holderOfLease()) !== null, { what: 'the first has the lease' });
    const first = await holderOfLease();
    start({ everyMs: 50, leaseMs: 600_000 });
    await running[0]?.close();
    await until(async () => (await holderOfLease()) !== first, { what: 'the first has given it back' });
    expect(await until(holderOfLease, { what: 'the second has it' })).not.toBe(first);
  });

  test('a lease that a clock has carried far ahead is nobody’s', async () => {
    await lease('before the clock was put back', '1 day');
    start({ everyMs: 50 });
    await until(async () => (await holderOfLease()) !== 'before the clock was put back', { what: 'another has the lease' });
    expect(await holderOfLease()).toMatch(String(process.pid));
  });

  test('two that both believe that they have it give no worker two jobs', async () => {
    const pool = createPool(database.databaseUrl, { max: 2, applicationName: 'test' });
    start({ everyMs: 5 });
    await until(async () => (await holderOfLease()) !== null, { what: 'the first has the lease' });
    // Both keep what they believe for as long as half of a look.
    await lease('', '-1 s');
    start({ everyMs: 5, pool });
    for (let n = 0; n < 20; n++) await addWorker(database.pool);
    const jobs = await Promise.all(Array.from({ length: 30 }, async () => await accept(database.pool)));
    await until(async () => (await database.pool.query('select from yardmaster.attempt where ended_at is null')).rowCount === 20, {
      what: 'every worker has a job',
    });
    const { rows } = await database.pool.query<{ attempts: number; workers: number; jobs: number }>(
      `select count(*)::int as attempts, count(distinct worker_id)::int as workers, count(distinct job_id)::int as jobs from yardmaster.attempt`,
    );
    expect(rows).toEqual([{ attempts: 20, workers: 20, jobs: 20 }]);
    expect(jobs).toHaveLength(30);
    // The tables would have refused it, with an error.
    expect(warned).toEqual([]);
    for (const each of running.splice(0)) await each.close();
    await pool.end();
  });
});

describe('a job whose attempt row the neighbours’ table refuses', () => {
  const rule = async (add: boolean): Promise<unknown> =>
    await database.pool.query(
      add
        ? `alter table gh_automation_jobs add constraint a_new_rule check (target_worker_id is null or priority <> 3)`
        : 'alter table gh_automation_jobs drop constraint if exists a_new_rule',
    );
  afterEach(async () => await rule(false));
  const acceptOf = async (priority: number): Promise<string> => {
    const job = makeNewJob({ priority });
    await acceptJob(database.pool, job, testActor, limits);
    return job.jobId;
  };

  test('keeps nobody else waiting, says why it waits, and is given away once the rule is gone', async () => {
    const refused = await Promise.all([acceptOf(3), acceptOf(3)]);
    const others = await Promise.all([acceptOf(5), acceptOf(5), acceptOf(5)]);
    for (let n = 0; n < 4; n++) await addWorker(database.pool);
    await rule(true);
    start({ everyMs: 50 });
    for (const jobId of others) await until(async () => await workerOf(jobId), { what: `${jobId} has a worker` });
    for (const jobId of refused) {
      const { rows } = await database.pool.query(
        `select state, reason, detail, not_before > now() as waits, deadline_at is not null as ends from yardmaster.job where job_id = $1`,
        [jobId],
      );
      const detail = 'The table of GH refuses the row of its attempt: a_new_rule';
      expect(rows).toEqual([{ state: 'waiting', reason: 'row_refused', detail, waits: true, ends: true }]);
      const timeline = await database.pool.query(`select reason from yardmaster.job_transition where job_id = $1 order by at`, [jobId]);
      expect(timeline.rows).toEqual([{ reason: 'accepted' }, { reason: 'row_refused' }]);
    }
    await rule(false);
    await database.pool.query('update yardmaster.job set not_before = now() where job_id = any($1)', [refused]);
    await until(async () => (await workerOf(refused[0] ?? '')) ?? (await workerOf(refused[1] ?? '')), {
      what: 'one of them has the last worker',
    });
    expect(warned).toEqual([]);
  });

  test('is found behind one that somebody has locked', async () => {
    const locked = await acceptOf(1);
    const refused = await acceptOf(3);
    const other = await acceptOf(5);
    for (let n = 0; n < 2; n++) await addWorker(database.pool);
    await rule(true);
    const client = await database.pool.connect();
    await client.query('begin');
    await client.query('select from yardmaster.job where job_id = $1 for update', [locked]);
    start({ everyMs: 50 });
    await until(async () => await workerOf(other), { what: 'the one behind both has a worker' });
    expect([await workerOf(locked), await workerOf(refused)]).toEqual([null, null]);
    await client.query('rollback');
    client.release();
    await until(async () => await workerOf(locked), { what: 'the locked one has the other worker' });
  });

  test('is one of all: they are set aside a few at a time, and the trouble is said', async () => {
    for (let n = 0; n < 30; n++) await acceptOf(3);
    for (let n = 0; n < 3; n++) await addWorker(database.pool);
    await rule(true);
    start({ everyMs: 50 });
    await until(() => warned.length > 0, { what: 'it says so' });
    expect(warned[0]).toMatch(/cannot be assigned.*a_new_rule/);
  });
});

test('the row of the lease is made again where somebody deleted it', async () => {
  await database.pool.query('delete from yardmaster.assigner');
  const worker = await addWorker(database.pool);
  const jobId = await accept(database.pool);
  start({ everyMs: 50 });
  await untilAssigned(jobId, worker);
  expect(warned).toEqual([]);
});

it('reads by index alone, also by a plan of tables that had one row when it was made', async () => {
  const jobId = await addWaitingJob(database.pool);
  await addAttempt(database.pool, { jobId, workerId: (await addWorker(database.pool)).workerId });
  await database.pool.query('vacuum (analyze) yardmaster.attempt, yardmaster.job, gh_automation_jobs');
  const pool = createPool(database.databaseUrl, { max: 1, applicationName: 'yardmaster-test', isDirect: true, settings: assignerSettings });
  try {
    const plans = await explainAll(pool, async (db) => await assignWaitingJobs(db, { callbackBaseUrl, limits, holder: 'test' }));
    expect(plans.map(({ scannedWhole }) => scannedWhole)).toEqual([[]]);
  } finally {
    await pool.end();
  }
});

it('reads no user after user where the eldest jobs are of those who have a worker already', async () => {
  const { workerId } = await addWorker(database.pool);
  const userId = randomUUID();
  const jobId = await addWaitingJob(database.pool, { userId });
  await addAttempt(database.pool, { jobId, workerId, state: 'running' });
  await database.pool.query(`update yardmaster.job set state = 'running' where job_id = $1`, [jobId]);
  await addWorker(database.pool);
  // A hundred of his, and then one each of three thousand.
  await database.pool.query(
    `with made as (
       insert into yardmaster.job (job_id, state, user_id, request_hash, accepted_by, request_id, timeout_seconds, job_deadline_at, deadline_at, accepted_at)
       select gen_random_uuid(), 'waiting', case when n <= 100 then $1::uuid else gen_random_uuid() end, 'hash', 'test', 'test', 300,
         now() + interval '1 day', now() + interval '1 day', now() - interval '1 hour' + n * interval '1 ms'
       from generate_series(1, 3100) n
       returning job_id, user_id)
     insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity)
     select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/1', 'Apply', -1, 'pending', 'strict' from made`,
    [userId],
  );
  await database.pool.query('analyze');
  let served: Assignment[] = [];
  const plans = await explainAll(database.pool, async (db) => {
    served = (await assignWaitingJobs(db, { callbackBaseUrl, limits })) ?? [];
  });
  const { rows } = await database.pool.query<{ place: number }>(
    `select (select count(*)::int from yardmaster.job o where o.state = 'waiting' and o.accepted_at <= j.accepted_at) as place
     from yardmaster.job j where j.job_id = any($1::uuid[])`,
    [served.map((each) => each.jobId)],
  );
  expect(rows).toEqual([{ place: 101 }]);
  expect(Math.max(...plans.map(({ rowsRead }) => rowsRead))).toBeLessThan(3_000);
});

import { listApiHosts } from '../../src/db/fleet/api-hosts';
import { pruneOldRows } from '../../src/db/retention';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, assignAll, emptyTables } from '../support/fleet-rows';

const database = withDatabase();
const dayMs = 24 * 3_600_000;
beforeEach(async () => await emptyTables(database.pool));

const prune = async (rows = 500): Promise<number> => await pruneOldRows(database.pool, { olderThanMs: 30 * dayMs, rows });
const query = async (sql: string, values: unknown[] = []): Promise<unknown[]> => (await database.pool.query(sql, values)).rows;
const count = async (table: string): Promise<unknown> => (await query(`select count(*)::int as rows from ${table}`))[0];

/** A job with everything that belongs to one, ended so long ago. */
const addEndedJob = async (daysAgo: number): Promise<{ jobId: string; attemptId: string; workerId: string }> => {
  const jobId = await addWaitingJob(database.pool);
  const { workerId } = await addWorker(database.pool);
  const [assigned] = await assignAll(database.pool);
  const attemptId = assigned?.attemptId ?? '';
  await query(
    `insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, settled_at, settled_as)
     values ($1, 1, 1, 'completed', true, '{}', now(), now(), now(), 'delivered')`,
    [jobId],
  );
  await query(`insert into gh_job_events (job_id, event_type) values ($1, 'job_completed')`, [attemptId]);
  await query(`update yardmaster.attempt set state = 'ended', ended_at = now() - $2::int * interval '1 day' where job_id = $1`, [
    jobId,
    daysAgo,
  ]);
  await query(`update yardmaster.job set state = 'succeeded', ended_at = now() - $2::int * interval '1 day' where job_id = $1`, [
    jobId,
    daysAgo,
  ]);
  return { jobId, attemptId, workerId };
};

test('deletes an old job with all that belongs to it, and leaves the public row to the product', async () => {
  const { jobId, attemptId } = await addEndedJob(31);
  await expect(prune()).resolves.toBe(1);
  for (const table of ['job', 'attempt', 'callback', 'job_transition'])
    await expect(count(`yardmaster.${table}`)).resolves.toEqual({ rows: 0 });
  await expect(query('select id from gh_automation_jobs')).resolves.toEqual([{ id: jobId }]);
  await expect(query('select from gh_job_events where job_id = $1', [attemptId])).resolves.toEqual([]);
});

test('keeps what is younger than the retention', async () => {
  await addEndedJob(29);
  await expect(prune()).resolves.toBe(0);
});

test('keeps a job that has not ended, however old it is', async () => {
  const jobId = await addWaitingJob(database.pool);
  await query(
    `update yardmaster.job set state = 'uncertain', accepted_at = now() - interval '1 year', state_at = now() - interval '1 year' where job_id = $1`,
    [jobId],
  );
  await expect(prune()).resolves.toBe(0);
});

test('keeps the attempt row that a registry row points at, and its job, until it points elsewhere', async () => {
  const { jobId, attemptId, workerId } = await addEndedJob(31);
  const { jobId: free } = await addEndedJob(31);
  await query(`update gh_worker_registry set current_job_id = $2 where worker_id = $1`, [workerId, attemptId]);
  await expect(prune()).resolves.toBe(1);
  await expect(query('select job_id from yardmaster.job')).resolves.toEqual([{ job_id: jobId }]);
  await expect(query('select id from gh_automation_jobs where id = any($1)', [[attemptId, free]])).resolves.toHaveLength(2);
  await query(`update gh_worker_registry set current_job_id = null`);
  await expect(prune()).resolves.toBe(1);
  await expect(query('select id from gh_automation_jobs where id = $1', [attemptId])).resolves.toEqual([]);
});

test('keeps a job of which a callback is not settled', async () => {
  const { jobId } = await addEndedJob(31);
  await query(`update yardmaster.callback set settled_at = null, settled_as = null where job_id = $1`, [jobId]);
  await expect(prune()).resolves.toBe(0);
});

test('keeps a job of which an attempt is still alive: its worker may block on it', async () => {
  const { jobId } = await addEndedJob(31);
  await addAttempt(database.pool, { jobId, workerId: 'blocked', state: 'running' });
  await expect(prune()).resolves.toBe(0);
});

test('deletes the oldest first, so many at a time', async () => {
  const [old, older, oldest] = [await addEndedJob(31), await addEndedJob(32), await addEndedJob(33)];
  await expect(prune(2)).resolves.toBe(2);
  await expect(query('select job_id from yardmaster.job')).resolves.toEqual([{ job_id: old.jobId }]);
  expect([older.jobId, oldest.jobId]).not.toContain(old.jobId);
});

test('deletes old hints of GH and the reports of all but the last day', async () => {
  await query(
    `insert into yardmaster.received_callback (attempt_id, received_at, word, effect)
     select gen_random_uuid(), now() - days * interval '1 day', 'completed', 'wakes_job' from unnest(array[29, 31, 60]) days`,
  );
  await query(
    `insert into yardmaster.sweep_report (started_at, counts, items) select now() - hours * interval '1 hour', '{}', '[]' from unnest(array[1, 25, 900]) hours`,
  );
  await prune();
  await expect(count('yardmaster.received_callback')).resolves.toEqual({ rows: 1 });
  await expect(count('yardmaster.sweep_report')).resolves.toEqual({ rows: 1 });
});

test('deletes what old probes said of hosts that are gone, and holds that have been over for a day', async () => {
  const [gone, present] = [await addWorker(database.pool), await addWorker(database.pool)];
  await query(`update yardmaster.host_probe set probed_at = now() - interval '31 days' where host = $1`, [gone.host]);
  await query(
    `insert into yardmaster.host_hold (host, holder, reason, actor, expires_at) values ('a', 'person', 'r', 'a', now() - interval '25 h'),
       ('b', 'person', 'r', 'a', now() - interval '23 h'), ('c', 'person', 'r', 'a', null), ('a', 'worker:w', 'r', 'a', now() + interval '1 h')`,
  );
  await prune();
  await expect(query('select host from yardmaster.host_probe')).resolves.toEqual([{ host: present.host }]);
  await expect(query('select host, holder from yardmaster.host_hold order by host')).resolves.toEqual([
    { host: 'a', holder: 'worker:w' },
    { host: 'b', holder: 'person' },
    { host: 'c', holder: 'person' },
  ]);
});

test('an API that answered once is forgotten when nobody has asked it for a while', async () => {
  const [silent, latest] = [await addWorker(database.pool), await addWorker(database.pool)];
  await query(`update yardmaster.host_probe set probed_at = now() - interval '11 min' where host = $1`, [silent.host]);
  await expect(listApiHosts(database.pool, { rows: 10 })).resolves.toEqual([latest.host]);
});

test('finds nothing the second time', async () => {
  await addEndedJob(31);
  await prune();
  await expect(prune()).resolves.toBe(0);
});

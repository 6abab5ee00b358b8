import { randomUUID } from 'node:crypto';
import { withDatabase } from '../support/database';
import { addWorker, assignAll, claim, emptyTables } from '../support/fleet-rows';
import { sweepOnce } from '../support/sweep-pass';

const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const query = async (text: string, values: unknown[] = []) => (await database.pool.query<Record<string, unknown>>(text, values)).rows;
const rowOf = async (id: string) => (await query('select * from gh_automation_jobs where id = $1', [id]))[0] ?? {};
const jobOf = async (id: string) => (await query('select * from yardmaster.job where job_id = $1', [id]))[0];

/** As VALET inserts it in its queue mode (valet §3.2): queued, without an affinity, its wishes in the metadata. */
const insertRow = async (more: Record<string, unknown> = {}): Promise<string> => {
  const row = {
    id: randomUUID(),
    user_id: randomUUID(),
    created_by: 'valet',
    job_type: 'apply',
    target_url: 'https://jobs.test/1',
    task_description: 'Apply',
    status: 'queued',
    valet_task_id: randomUUID(),
    callback_url: 'https://product.test/hook?task=1&token=s3cret',
    metadata: { source: 'valet', callback_url: 'https://product.test/hook?task=1&token=s3cret', worker_affinity: 'any' },
    input_data: { user_data: { first_name: 'Zoë' } },
    ...more,
  };
  const names = Object.keys(row);
  const values = Object.values(row).map((value) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value));
  await query(`insert into gh_automation_jobs (${names.join(', ')}) values (${names.map((_name, n) => `$${n + 1}`).join(', ')})`, values);
  return row.id;
};

test('a row of an older producer becomes a job, which no worker can claim and only we assign', async () => {
  const { workerId } = await addWorker(database.pool, { isRunning: false });
  const jobId = await insertRow();
  const { of, notified } = await sweepOnce(database.pool, { full: false, ports: {} });
  expect(of('job_adopted')).toMatchObject([{ subject: jobId }]);
  expect(notified).toContain(`ensure ${jobId} adopted`);
  expect(await rowOf(jobId)).toMatchObject({
    status: 'pending',
    created_by: 'valet',
    worker_affinity: 'strict',
    target_worker_id: null,
    callback_url: null,
    max_retries: -1,
    metadata: { source: 'valet', worker_affinity: 'any' },
  });
  expect(await jobOf(jobId)).toMatchObject({
    state: 'accepted',
    reason: 'adopted',
    generation: 1,
    accepted_by: 'valet',
    affinity: 'any',
    wanted_worker: null,
    attempts_max: 4,
    callback_url: 'https://product.test/hook?task=1',
  });
  expect(await query('select state, reason from yardmaster.job_transition where job_id = $1', [jobId])).toEqual([
    { state: 'accepted', reason: 'adopted' },
  ]);
  expect(await claim(database.pool, workerId)).toBeNull();
  // A second pass finds nothing.
  expect((await sweepOnce(database.pool, { full: false })).of('job_adopted')).toEqual([]);
});

test('a row for a worker of the registry keeps its wish', async () => {
  const { workerId } = await addWorker(database.pool, { status: 'draining' });
  const jobId = await insertRow({ target_worker_id: workerId, worker_affinity: 'strict' });
  await sweepOnce(database.pool, { full: false });
  expect(await jobOf(jobId)).toMatchObject({ wanted_worker: workerId, affinity: 'strict' });
});

test.each<[string, Record<string, unknown>]>([
  ['that a worker has claimed', { worker_id: 'worker-9' }],
  ['that GH put back after a try', { started_at: new Date(), retry_count: 1 }],
  ['that a shutdown has given back', { error_details: { reason: 'worker_shutdown' } }],
  ['of the desktop fleet', { metadata: { dispatch_target: 'desktop' } }],
  ['for a worker that the registry does not know', { target_worker_id: 'desktop-1' }],
  ['that we made ourselves', { created_by: 'yardmaster' }],
  ['that is not due', { scheduled_at: new Date(Date.now() + 3_600_000) }],
  ['that is under way', { status: 'running' }],
  ['that has ended', { status: 'completed' }],
])('a row %s is left as it is', async (_what, more) => {
  const id = await insertRow(more);
  const before = await rowOf(id);
  const { report } = await sweepOnce(database.pool);
  expect(report.counts).toEqual({});
  expect(await rowOf(id)).toEqual(before);
  expect(await jobOf(id)).toBeUndefined();
});

test('an attempt and the public row of a job are never adopted', async () => {
  await addWorker(database.pool);
  const jobId = await insertRow();
  await sweepOnce(database.pool, { full: false });
  await query(`update yardmaster.job set state = 'waiting' where job_id = $1`, [jobId]);
  const [assigned] = await assignAll(database.pool);
  expect(assigned?.jobId).toBe(jobId);
  // Whoever made them: what tells is our own record of them.
  await query(`update gh_automation_jobs set created_by = 'somebody'`);
  expect((await sweepOnce(database.pool)).of('job_adopted')).toEqual([]);
  expect(await query('select job_id from yardmaster.job')).toEqual([{ job_id: jobId }]);
});

test('a row that breaks our limits is reported with its field and skipped, beside others that are taken over', async () => {
  const bad = await insertRow({ target_url: 'not an address' });
  const good = await insertRow();
  const { of } = await sweepOnce(database.pool);
  expect(of('row_not_adopted')).toEqual([{ finding: 'row_not_adopted', subject: bad, detail: 'target_url: no web address' }]);
  expect(of('job_adopted')).toMatchObject([{ subject: good }]);
});

test('refused rows that fill a pass are an alarm, since the next one sees the same; adopted ones leave room', async () => {
  const limits = { sweepBatchRows: 2 };
  for (const target_url of ['a', 'b', 'c']) await insertRow({ target_url });
  const refused = await sweepOnce(database.pool, { full: false, limits });
  expect(refused.report.counts).toMatchObject({ row_not_adopted: 2, more_than_a_pass_sees: 1 });
  expect(refused.report.counts).not.toHaveProperty('left_for_next_pass');

  await query('delete from gh_automation_jobs');
  await insertRow();
  await insertRow();
  await insertRow();
  expect((await sweepOnce(database.pool, { full: false, limits })).report.counts).toMatchObject({ job_adopted: 2, left_for_next_pass: 1 });
  expect((await sweepOnce(database.pool, { full: false, limits })).report.counts).toMatchObject({ job_adopted: 1 });
});

test('a second row of a task that has a live job is reported, and not taken over', async () => {
  const valet_task_id = randomUUID();
  await insertRow({ valet_task_id });
  await sweepOnce(database.pool, { full: false });
  const second = await insertRow({ valet_task_id });
  const { of } = await sweepOnce(database.pool, { full: false });
  expect(of('row_not_adopted')).toMatchObject([{ subject: second, detail: expect.stringContaining('another job') }]);
});

test('nothing is adopted while a worker in queue mode could run it beside us', async () => {
  const { host } = await addWorker(database.pool);
  const id = await insertRow();
  const { of } = await sweepOnce(database.pool, { ports: { [host]: { dispatch_mode: 'queue' } } });
  expect(of('adoption_is_off')).toHaveLength(1);
  expect(await jobOf(id)).toBeUndefined();
});

test('each row in a race of workers and passes is either claimed or adopted, never both', async () => {
  const workers = await Promise.all(Array.from({ length: 4 }, async () => await addWorker(database.pool, { isRunning: false })));
  const ids = await Promise.all(Array.from({ length: 60 }, async () => await insertRow({ valet_task_id: null })));
  const claimed = new Set<string>();
  await Promise.all([
    ...workers.map(async ({ workerId }) => {
      for (let n = 0; n < 8; n++) {
        const id = await claim(database.pool, workerId);
        if (id === null) continue;
        claimed.add(id);
        // Until it runs, GH claims it again (ghosthands §4.1).
        await query(`update gh_automation_jobs set status = 'running' where id = $1`, [id]);
      }
    }),
    ...[1, 2].map(async () => await sweepOnce(database.pool, { full: false, ports: {} })),
  ]);
  await sweepOnce(database.pool, { full: false });
  const adopted = (await query('select job_id from yardmaster.job')).map(({ job_id: id }) => String(id));
  expect([...claimed, ...adopted].toSorted()).toEqual(ids.toSorted());
  expect(claimed.size).toBeGreaterThan(0);
  expect(adopted.length).toBeGreaterThan(0);
  expect(await query(`select id from gh_automation_jobs where id = any($1) and worker_affinity <> 'strict'`, [adopted])).toEqual([]);
});

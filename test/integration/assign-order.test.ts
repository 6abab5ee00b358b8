import { randomUUID } from 'node:crypto';
import type { NewJob } from '../../src/contracts/job';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, assignAll, emptyTables, type WorkerRows } from '../support/fleet-rows';

describe('the order of assigning', () => {
  const database = withDatabase();
  beforeEach(async () => await emptyTables(database.pool));

  const add = async (more: Partial<NewJob> & { acceptedAgoMs?: number } = {}): Promise<string> => await addWaitingJob(database.pool, more);
  const assignedJobs = async (): Promise<string[]> => (await assignAll(database.pool)).map(({ jobId }) => jobId);

  test('is by priority first, the lower number before the older job', async () => {
    await add({ priority: 5, acceptedAgoMs: 60_000 });
    const urgent = await add({ priority: 1 });
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([urgent]);
  });

  test('is by age among equals', async () => {
    await add({ acceptedAgoMs: 1_000 });
    const oldest = await add({ acceptedAgoMs: 9_000 });
    await add({ acceptedAgoMs: 5_000 });
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([oldest]);
  });

  test.each(['assigned', 'running', 'waiting_human'])('prefers the user without jobs to one whose older job is %s', async (state) => {
    const busyUser = randomUUID();
    await addWorker(database.pool);
    const first = await add({ userId: busyUser });
    await assignAll(database.pool);
    await database.pool.query(
      `update yardmaster.job set state = $2, human_kind = case when $2 = 'waiting_human' then 'blocker' end where job_id = $1`,
      [first, state],
    );
    await add({ userId: busyUser, acceptedAgoMs: 60_000 });
    const ofAnother = await add();
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([ofAnother]);
  });

  test('does not count jobs that rest or have ended', async () => {
    const user = randomUUID();
    for (const state of ['uncertain', 'succeeded']) {
      const earlier = await add({ userId: user });
      await database.pool.query(
        `update yardmaster.job set state = $2, ended_at = case when $2 = 'succeeded' then now() end where job_id = $1`,
        [earlier, state],
      );
    }
    const older = await add({ userId: user, acceptedAgoMs: 60_000 });
    await add();
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([older]);
  });

  test('shares the workers of one pairing between users', async () => {
    const user = randomUUID();
    const jobs = [];
    for (const acceptedAgoMs of [90_000, 80_000, 70_000]) jobs.push(await add({ userId: user, acceptedAgoMs }));
    const ofAnother = await add();
    await addWorker(database.pool);
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual(expect.arrayContaining([jobs[0], ofAnother]));
  });

  test('leaves a job in its back-off out until that is over', async () => {
    const [resting, rested] = [await add({ acceptedAgoMs: 60_000 }), await add()];
    await database.pool.query(
      `update yardmaster.job set not_before = now() + case when job_id = $1 then 1 else -1 end * interval '1 min'`,
      [resting],
    );
    await addWorker(database.pool);
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([rested]);
  });

  test('leaves a job out whose public row was deleted, and one whose last attempt is still alive', async () => {
    const [deleted, alive] = [await add(), await add()];
    await database.pool.query('delete from gh_automation_jobs where id = $1', [deleted]);
    await addAttempt(database.pool, { jobId: alive, workerId: 'elsewhere', state: 'running' });
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([]);
  });

  test('gives the worker that has been idle longest its job first', async () => {
    const [first, second] = [await addWorker(database.pool), await addWorker(database.pool)];
    await database.pool.query(
      `update yardmaster.host_probe set freed_at = now() - case when worker_id = $1 then 1 else 9 end * interval '1 s'`,
      [first.workerId],
    );
    await add();
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ workerId: second.workerId }]);
  });

  test.each<[what: string, name: (worker: WorkerRows) => string | null]>([
    ['its own id', ({ workerId }) => workerId],
    ['its target id', ({ targetWorkerId }) => targetWorkerId],
    ['its instance id', ({ instanceId }) => instanceId],
  ])('gives a strict job to the worker that it names by %s, and to no other', async (_what, name) => {
    await addWorker(database.pool);
    const wanted = await addWorker(database.pool, { targetWorkerId: 'named-by-the-product' });
    const jobId = await add({ affinity: 'strict', wantedWorker: name(wanted) });
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId, workerId: wanted.workerId }]);
  });

  test('lets a strict job wait for its worker, and others pass it', async () => {
    await addWorker(database.pool);
    await add({ affinity: 'strict', wantedWorker: 'absent', priority: 1, acceptedAgoMs: 60_000 });
    const other = await add();
    await expect(assignedJobs()).resolves.toEqual([other]);
    await addWorker(database.pool);
    await expect(assignedJobs()).resolves.toEqual([]);
  });

  test('gives a preferred job the worker that it names, also where it has been idle for the shortest time', async () => {
    await addWorker(database.pool);
    const wanted = await addWorker(database.pool);
    await database.pool.query(`update yardmaster.host_probe set freed_at = now() where worker_id = $1`, [wanted.workerId]);
    const jobId = await add({ affinity: 'preferred', wantedWorker: wanted.workerId });
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId, workerId: wanted.workerId }]);
  });

  test('gives a preferred job another worker when its own is busy', async () => {
    const { workerId } = await addWorker(database.pool);
    await addWorker(database.pool, { workerId: 'busy', activeJobs: 1 });
    const jobId = await add({ affinity: 'preferred', wantedWorker: 'busy' });
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId, workerId }]);
  });

  test('does not let a wish go before a turn: the first in the queue gets the worker that both name', async () => {
    const { workerId } = await addWorker(database.pool);
    await add({ affinity: 'preferred', wantedWorker: workerId, acceptedAgoMs: 1_000 });
    const first = await add({ affinity: 'strict', wantedWorker: workerId, acceptedAgoMs: 9_000 });
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId: first, workerId }]);
  });

  test('writes the state, the attempt and the line of the timeline together', async () => {
    const jobId = await add();
    const worker = await addWorker(database.pool);
    const [assigned] = await assignAll(database.pool);
    const read = async (sql: string): Promise<unknown> => (await database.pool.query(sql, [jobId])).rows[0];
    await expect(read('select * from yardmaster.job where job_id = $1')).resolves.toMatchObject({
      state: 'assigned',
      attempts: 1,
      attempt_id: assigned?.attemptId,
      deadline_at: expect.any(Date),
    });
    await expect(read('select * from yardmaster.attempt where job_id = $1')).resolves.toMatchObject({
      attempt_id: assigned?.attemptId,
      number: 1,
      worker_id: worker.workerId,
      host: worker.host,
      instance_id: worker.instanceId,
      state: 'assigned',
      claimed_at: null,
    });
    await expect(read(`select * from yardmaster.job_transition where job_id = $1 and state = 'assigned'`)).resolves.toMatchObject({
      attempt_id: assigned?.attemptId,
      worker_id: worker.workerId,
    });
  });
});

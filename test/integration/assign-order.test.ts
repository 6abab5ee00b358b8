import { randomUUID } from 'node:crypto';
import { array, assert, asyncProperty, boolean, constant, constantFrom, integer, nat, oneof, record, type Arbitrary } from 'fast-check';
import type { NewJob } from '../../src/contracts/job';
import { withDatabase } from '../support/database';
import {
  addAttempt,
  addWaitingJob,
  addWaitingJobs,
  addWorker,
  addWorkers,
  assignAll,
  emptyTables,
  type WorkerRows,
} from '../support/fleet-rows';

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

interface Queued {
  jobId: string;
  userId: string;
  priority: number;
  /** In the order of acceptance. */
  age: number;
  worker: string | null;
  isStrict: boolean;
}

interface Scene {
  idle: number;
  /** Of how many of the eldest jobs one user is. */
  ofOne: number;
  priorityOfThose: number;
  jobs: { user: number; priority: number; worker: number | null; isStrict: boolean }[];
  atWork: number[];
}

const usersMax = 12;
/** More jobs than are read by age alone, so that each way through the statement is taken. */
const anyScene: Arbitrary<Scene> = record({
  idle: integer({ min: 1, max: 6 }),
  ofOne: constantFrom(0, 20, 95, 120),
  priorityOfThose: constantFrom(1, 5),
  jobs: array(
    record({
      user: nat(usersMax - 1),
      priority: constantFrom(1, ...Array<number>(30).fill(5), 9),
      worker: oneof({ weight: 20, arbitrary: constant(null) }, { weight: 1, arbitrary: integer({ min: 1, max: 8 }) }),
      isStrict: boolean(),
    }),
    { minLength: 130, maxLength: 180 },
  ),
  atWork: array(nat(3), { minLength: usersMax, maxLength: usersMax }),
});

/** The rule in plain words: each worker's own job first, then by priority, by how many its user has at work or gets before it, by age. */
const choose = (queue: readonly Queued[], idle: readonly string[], atWork: ReadonlyMap<string, number>): Set<string> => {
  const jobs = new Map(atWork);
  const count = (userId: string): number => jobs.get(userId) ?? 0;
  const first = (candidates: readonly Queued[]): Queued | undefined =>
    candidates.toSorted((a, b) => a.priority - b.priority || count(a.userId) - count(b.userId) || a.age - b.age)[0];
  const own = idle.flatMap((worker) => first(queue.filter((job) => job.worker === worker)) ?? []);
  for (const { userId } of own) jobs.set(userId, count(userId) + 1);
  const chosen = new Set(own.map(({ jobId }) => jobId));
  for (let left = idle.length - own.length; left > 0; left--) {
    const next = first(queue.filter(({ jobId, worker, isStrict }) => !chosen.has(jobId) && !(isStrict && worker !== null)));
    if (next === undefined) break;
    chosen.add(next.jobId);
    jobs.set(next.userId, count(next.userId) + 1);
  }
  return chosen;
};

describe('whatever waits', () => {
  const database = withDatabase();

  const insert = async (queue: readonly (Queued & { state: string })[]): Promise<void> => {
    await database.pool.query(
      `with made as (
         insert into yardmaster.job (job_id, state, user_id, priority, accepted_at, affinity, wanted_worker, owner, request_hash, accepted_by, request_id,
           timeout_seconds, job_deadline_at, deadline_at)
         select "jobId", state, "userId", priority, now() - interval '1 hour' + age * interval '1 s',
           case when worker is null then 'any' when "isStrict" then 'strict' else 'preferred' end, worker, 'run', 'hash', 'test', 'test', 300,
           now() + interval '1 day', now() + interval '1 hour'
         from jsonb_to_recordset($1::jsonb) as q("jobId" uuid, state text, "userId" uuid, priority int, age int, worker text, "isStrict" boolean)
         returning job_id, user_id
       )
       insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity)
       select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.test/1', 'Apply', -1, 'pending', 'strict' from made`,
      [JSON.stringify(queue)],
    );
  };

  test('the workers get the same jobs that the plain rule gives them', async () => {
    const property = asyncProperty(anyScene, async ({ idle, ofOne, priorityOfThose, jobs, atWork }) => {
      await emptyTables(database.pool);
      const users = Array.from({ length: usersMax }, () => randomUUID());
      const userOf = (index: number): string => users[index] ?? '';
      const workers: string[] = [];
      for (let n = 1; n <= idle; n++) workers.push((await addWorker(database.pool, { workerId: `own-${n}` })).workerId);
      const queue = jobs.map((job, age) => ({
        jobId: randomUUID(),
        userId: userOf(age < ofOne ? 0 : job.user),
        priority: age < ofOne ? priorityOfThose : job.priority,
        age,
        worker: job.worker === null ? null : `own-${job.worker}`,
        isStrict: job.isStrict,
        state: 'waiting',
      }));
      const running = atWork.flatMap((count, user) =>
        Array.from({ length: count }, (_, n) => ({
          ...queue[0]!,
          jobId: randomUUID(),
          userId: userOf(user),
          age: n,
          worker: null,
          state: 'running',
        })),
      );
      await insert([...queue, ...running]);
      const assigned = new Set((await assignAll(database.pool)).map(({ jobId }) => jobId));
      const expected = choose(queue, workers, new Map(atWork.map((count, user) => [userOf(user), count])));
      const told = (ids: ReadonlySet<string>): unknown[] =>
        queue.filter(({ jobId }) => ids.has(jobId)).map(({ jobId: _id, ...job }) => job);
      expect(told(assigned)).toEqual(told(expected));
    });
    await assert(property, { numRuns: 40 });
  });

  test('a job that somebody has locked is passed over, and the next one has its worker', async () => {
    await emptyTables(database.pool);
    await addWorker(database.pool);
    const eldest = await addWaitingJob(database.pool, { acceptedAgoMs: 60_000 });
    const next = await addWaitingJob(database.pool);
    const step = await database.pool.connect();
    await step.query('begin');
    await step.query('select from yardmaster.job where job_id = $1 for update', [eldest]);
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId: next }]);
    await step.query('rollback');
    step.release();
  });

  test('a fleet that is idle as a whole is served at once, more workers than one statement pairs', async () => {
    await emptyTables(database.pool);
    await addWorkers(database.pool, 250);
    await addWaitingJobs(database.pool, 230);
    expect(await assignAll(database.pool)).toHaveLength(230);
  });
});

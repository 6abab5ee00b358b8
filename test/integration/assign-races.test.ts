import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { createJobActivities, type JobActivities } from '../../activities/jobs/jobs';
import type { NewJob } from '../../src/contracts/job';
import { limits } from '../../src/contracts/limits';
import { acceptJob, type Acceptance } from '../../src/db/jobs/accept-job';
import { endAttempt } from '../../src/db/attempts/attempts';
import { createPool, withTransaction } from '../../src/db/pool';
import { createLog } from '../../src/log';
import { startAssigner } from '../../workers/assigner';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorkers, callbackBaseUrl, completed, emptyTables } from '../support/fleet-rows';
import { makeNewJob, testActor } from '../support/new-job';
import { makeDeps } from '../support/orchestrator-deps';
import { until } from '../support/until';

const database = withDatabase();
/** As many connections as runners, so that they meet in the database and not before it. */
const runners = 20;
let pool: Pool;
let assigners: { pool: Pool; close(): Promise<void> }[];
let steps: JobActivities;

beforeAll(() => {
  pool = createPool(database.databaseUrl, { max: runners, applicationName: 'yardmaster-test-races' });
  steps = createJobActivities(makeDeps(pool));
  assigners = [1, 2].map(() => {
    const own = createPool(database.databaseUrl, { max: 1, applicationName: 'yardmaster-test-assigner', isDirect: true });
    const log = createLog({ level: 'error', process: 'test' });
    // Each takes itself for the only one at every look, so that the two do meet.
    const limitsOfOne = { ...limits, assignEveryMs: 20, assignLeaseMs: 1 };
    const workflows = { wake: async () => {} };
    return {
      pool: own,
      ...startAssigner({ pool: own, directUrl: database.databaseUrl, callbackBaseUrl, workflows, limits: limitsOfOne, log }),
    };
  });
});
afterAll(async () => {
  await Promise.all(assigners.map(async (each) => await each.close()));
  await Promise.all([pool, ...assigners.map((each) => each.pool)].map(async (each) => await each.end()));
});
beforeEach(async () => await emptyTables(database.pool));

const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const accept = async (job: NewJob): Promise<Acceptance> =>
  await withTransaction(pool, async (client) => await acceptJob(client, job, testActor, limits));
/** As a gateway and an orchestrator do, beside whoever assigns: the row, then the workflow's first step. */
const acceptAndOpen = async (): Promise<void> => {
  const job = makeNewJob();
  await accept(job);
  await steps.openJob({ jobId: job.jobId, owner: randomUUID() });
};

interface Counts {
  waiting: number;
  assigned: number;
  attempts: number;
  workers: number;
  rows: number;
}

const countAll = async (): Promise<Counts | undefined> => {
  const { rows } = await pool.query<Counts>(
    `select (select count(*)::int from yardmaster.job where state = 'waiting') as waiting,
       (select count(*)::int from yardmaster.job where state = 'assigned') as assigned,
       (select count(*)::int from yardmaster.attempt where ended_at is null) as attempts,
       (select count(distinct worker_id)::int from yardmaster.attempt where ended_at is null) as workers,
       (select count(*)::int from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id and a.worker_id = g.target_worker_id) as rows`,
  );
  return rows[0];
};

const countWhen = async (wanted: Pick<Counts, 'waiting' | 'attempts'>): Promise<Counts> => {
  const count = async (): Promise<Counts | null> => {
    const counts = await countAll();
    return counts?.waiting === wanted.waiting && counts.attempts === wanted.attempts ? counts : null;
  };
  return await until(count, { what: `${wanted.waiting} wait, ${wanted.attempts} have a worker`, everyMs: 5 });
};

test('ten racing accepts with twenty idle workers leave none waiting, in thirty rounds', async () => {
  for (let round = 0; round < 30; round++) {
    await emptyTables(pool);
    await addWorkers(pool, 20);
    await Promise.all(times(10).map(acceptAndOpen));
    expect(await countWhen({ waiting: 0, attempts: 10 })).toMatchObject({ assigned: 10, workers: 10, rows: 10 });
  }
});

test('twenty racing accepts with eight idle workers take all eight, each once', async () => {
  for (let round = 0; round < 10; round++) {
    await emptyTables(pool);
    await addWorkers(pool, 8);
    await Promise.all(times(20).map(acceptAndOpen));
    expect(await countWhen({ waiting: 12, attempts: 8 })).toMatchObject({ assigned: 8, workers: 8, rows: 8 });
  }
});

test('accepts that race with workers that become free leave no worker idle beside a waiting job', async () => {
  for (let round = 0; round < 15; round++) {
    await emptyTables(pool);
    await addWorkers(pool, 6);
    for (let job = 0; job < 6; job++) await addWaitingJob(pool);
    await countWhen({ waiting: 0, attempts: 6 });
    const { rows: busy } = await pool.query<{ attempt_id: string }>('select attempt_id from yardmaster.attempt');
    await Promise.all([
      ...busy.map(async ({ attempt_id: attemptId }) => await endAttempt(pool, { attemptId, ...completed })),
      ...times(6).map(acceptAndOpen),
    ]);
    expect(await countWhen({ waiting: 0, attempts: 6 })).toMatchObject({ workers: 6 });
  }
});

describe('racing accepts', () => {
  const race = async (more: Partial<NewJob>): Promise<Acceptance[]> =>
    await Promise.all(
      times(10).map(async (index) => await accept(makeNewJob({ ...more, requestHash: more.requestHash ?? `hash-${index}` }))),
    );
  const kindsOf = (acceptances: Acceptance[]): string[] => acceptances.map(({ kind }) => kind).toSorted();
  const jobsOf = (acceptances: Acceptance[]): number => new Set(acceptances.map(({ jobId }) => jobId)).size;
  const oneCreated = (others: Acceptance['kind']): string[] => ['created', ...times(9).map(() => others)].toSorted();

  test('of one request under one key give one job, and nine replays of it', async () => {
    for (const round of times(10)) {
      const acceptances = await race({ idempotencyKey: `key-${round}`, requestHash: 'the same' });
      expect(kindsOf(acceptances)).toEqual(oneCreated('replay'));
      expect(jobsOf(acceptances)).toBe(1);
    }
  });

  test('of ten requests under one key give one job, and nine conflicts that name it', async () => {
    const acceptances = await race({ idempotencyKey: 'key' });
    expect(kindsOf(acceptances)).toEqual(oneCreated('conflict'));
    expect(jobsOf(acceptances)).toBe(1);
  });

  test('of one task without a key give one live job', async () => {
    const acceptances = await race({ valetTaskId: 'task', requestHash: 'the same' });
    expect(kindsOf(acceptances)).toEqual(oneCreated('replay'));
    const { rows } = await pool.query(`select count(*)::int as rows from gh_automation_jobs where valet_task_id = 'task'`);
    expect(rows).toEqual([{ rows: 1 }]);
  });

  test('of one task under keys of their own give one job: a task is one application', async () => {
    const acceptances = await Promise.all(
      times(3).map(async (index) => await accept(makeNewJob({ valetTaskId: 'task', idempotencyKey: `key-${index}` }))),
    );
    expect(kindsOf(acceptances)).toEqual(['created', 'replay', 'replay']);
  });

  test('without key and task give a job each', async () => {
    expect(jobsOf(await race({ valetTaskId: null }))).toBe(10);
  });
});

test('a task without a key may have another job once its last one has ended, a key never', async () => {
  const first = makeNewJob({ valetTaskId: 'task' });
  const keyed = makeNewJob({ valetTaskId: null, idempotencyKey: 'key' });
  for (const job of [first, keyed]) await accept(job);
  await pool.query(`update yardmaster.job set state = 'failed', ended_at = now()`);
  await expect(accept(makeNewJob({ valetTaskId: 'task' }))).resolves.toMatchObject({ kind: 'created' });
  await expect(accept(makeNewJob({ valetTaskId: null, idempotencyKey: 'key' }))).resolves.toMatchObject({
    kind: 'replay',
    jobId: keyed.jobId,
  });
});

test('an accept that fails half-way leaves neither row', async () => {
  const job = makeNewJob({ jobType: 'custom', executionMode: 'cookbook_only' });
  // Staging's CHECK refuses the mode after the record was written (ghosthands §9).
  await expect(accept(job)).rejects.toThrow(/execution_mode/);
  const { rows } = await pool.query(`select count(*)::int as rows from yardmaster.job where job_id = $1`, [job.jobId]);
  expect(rows).toEqual([{ rows: 0 }]);
});

import type { Pool } from 'pg';
import { limits } from '../../src/contracts/limits';
import { assignWaitingJobs } from '../../src/db/jobs/assign';
import { openCommand } from '../../src/db/commands/commands';
import { listWorkers } from '../../src/db/fleet/fleet';
import { findJobDetails, listJobs } from '../../src/db/jobs/job-reads';
import { createPool } from '../../src/db/pool';
import { countWorkers } from '../../src/db/fleet/worker-counts';
import { completeJob } from '../../test/support/fleet-rows';
import { assignerSettings } from '../../workers/assigner';
import { createFreshDatabase, registerWorkers } from '../database';
import type { Figure } from '../figures';
import { interleave, median, msSince, quantile } from '../statistics';

const workers = 1_000;
const few = 100;

/** The assigner plans in its own way, everybody else as the gateway does. */
interface Side {
  assigner: Pool;
  pool: Pool;
}

/** Does it matter how many jobs wait? A fleet whose every worker is busy, beside few waiting jobs and beside very many, in turns. */
export const measureWaiting = async (
  serverUrl: string,
  { waiting, rounds, deadlineMs, say }: { waiting: number; rounds: number; deadlineMs: number; say(line: string): void },
): Promise<Figure[]> => {
  const open = async (jobs: number): Promise<Side> => {
    say(`Makes a fleet beside ${jobs} waiting jobs`);
    const databaseUrl = await createFreshDatabase(serverUrl, `bench_waiting_${jobs}`);
    const openPool = (settings = {}): Pool =>
      createPool(databaseUrl, { max: 2, applicationName: 'bench-waiting', isDirect: true, settings });
    const [assigner, pool] = [openPool(assignerSettings), openPool()];
    await registerWorkers(pool, workers);
    await addWaiting(pool, jobs + workers);
    await pool.query('vacuum (analyze)');
    await assign(assigner);
    return { assigner, pool };
  };
  const [mine, theirs] = [await open(waiting), await open(few)];
  try {
    const measures: [name: string, turn: (side: Side) => Promise<number>, goal: Figure['goal']][] = [
      ['a worker gets free and has its next job', freeOne, { of: 'ratio', atMost: 3 }],
      ['a call while nobody is idle', async ({ assigner }) => await timed(async () => await assign(assigner)), undefined],
      ['why a job waits', readOne, { of: 'ours', atMost: 50 }],
      ['a page of the list', readList, { of: 'ours', atMost: 50 }],
      ['the fleet', async ({ pool }) => await timed(async () => await listWorkers(pool, limits)), { of: 'ours', atMost: 50 }],
      ['a cancel of a waiting job', cancelOne, { of: 'ours', atMost: 50 }],
    ];
    const figures: Figure[] = [];
    for (const [name, turn, goal] of measures) {
      const { ours, baseline } = await interleave(
        { rounds, warmUp: 10, deadlineAt: performance.now() + deadlineMs / measures.length },
        async () => await turn(mine),
        async () => await turn(theirs),
      );
      const what = `${name}, ${waiting} instead of ${few} wait`;
      figures.push({ name: `${what}, p50`, unit: 'ms', ours: median(ours), baseline: median(baseline) });
      figures.push({
        name: `${what}, p99`,
        unit: 'ms',
        ours: quantile(ours, 0.99),
        baseline: quantile(baseline, 0.99),
        ...(goal && { goal }),
      });
    }
    return figures;
  } finally {
    await Promise.all([mine, theirs].flatMap(({ assigner, pool }) => [assigner.end(), pool.end()]));
  }
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await work();
  return msSince(startedAt);
};

const assign = async (pool: Pool): Promise<number> =>
  (await assignWaitingJobs(pool, { callbackBaseUrl: 'http://127.0.0.1', limits }))?.length ?? 0;

const freeOne = async ({ assigner, pool }: Side): Promise<number> => {
  const { rows } = await pool.query<{ attempt_id: string; job_id: string }>(
    'select attempt_id, job_id from yardmaster.attempt where ended_at is null order by attempt_id limit 1',
  );
  const [attempt] = rows;
  if (attempt === undefined) throw new Error('nobody is at work');
  await completeJob(pool, { jobId: attempt.job_id, attemptId: attempt.attempt_id });
  await addWaiting(pool, 1);
  return await timed(async () => {
    const served = await assign(assigner);
    if (served !== 1) throw new Error(`${served} jobs were assigned instead of one`);
  });
};

const anyWaiting = async (pool: Pool): Promise<string> => {
  const { rows } = await pool.query<{ job_id: string }>(
    `select job_id from yardmaster.job where state = 'waiting' and cancel_requested_at is null and job_id > gen_random_uuid() order by job_id limit 1`,
  );
  return rows[0]?.job_id ?? (await anyWaiting(pool));
};

const readOne = async ({ pool }: Side): Promise<number> => {
  const jobId = await anyWaiting(pool);
  return await timed(async () => {
    await findJobDetails(pool, jobId, { rows: 100 });
    await countWorkers(pool, { wantedId: null, limits });
  });
};

const readList = async ({ pool }: Side): Promise<number> =>
  await timed(
    async () =>
      await listJobs(pool, {
        states: ['waiting'],
        userId: null,
        taskId: null,
        workerId: null,
        needsAttention: false,
        after: null,
        rows: 50,
      }),
  );

const cancelOne = async ({ pool }: Side): Promise<number> => {
  const jobId = await anyWaiting(pool);
  const took = await timed(async () => await openCommand(pool, { jobId, kind: 'cancel', actor: 'bench', source: 'rest', reason: null }));
  await addWaiting(pool, 1);
  return took;
};

/** Of a tenth as many users, so that some have more than one. */
const addWaiting = async (pool: Pool, jobs: number): Promise<void> => {
  await pool.query(
    `with made as (
       insert into yardmaster.job (job_id, state, user_id, request_hash, accepted_by, request_id, timeout_seconds, job_deadline_at, deadline_at)
       select gen_random_uuid(), 'waiting', md5('user ' || (random() * greatest($1::int, 10000) / 10)::int)::uuid, 'hash', 'bench', 'bench', 300,
         now() + interval '1 day', now() + interval '1 day'
       from generate_series(1, $1::int)
       returning job_id, user_id
     )
     insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity, last_heartbeat)
     select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/1', 'Apply', -1, 'pending', 'strict', now() from made`,
    [jobs],
  );
};

import type { Pool } from 'pg';
import { createSweepActivities } from '../../activities/sweep/sweep';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { limits } from '../../src/contracts/limits';
import type { SweepKind } from '../../src/contracts/sweep';
import { createPool } from '../../src/db/pool';
import { makeDeps } from '../../test/support/orchestrator-deps';
import type { Figure } from '../figures';
import { createFreshDatabase, registerWorkers } from '../database';
import { removeLiveJobs } from './assigning';
import { ensureSeededDatabase } from '../seed';
import { interleave, msSince, quantile } from '../statistics';

const workers = 1_000;
const fewEndedJobs = 10;

/** Does a pass over the fleet know how many jobs have ended? The same 1,000 workers beside few of them and beside very many, in turns. */
export const measureSweeping = async (
  serverUrl: string,
  { endedJobs, rounds, deadlineMs, say }: { endedJobs: number; rounds: number; deadlineMs: number; say(line: string): void },
): Promise<Figure[]> => {
  const openPool = async (ended: number): Promise<Pool> =>
    createPool(await ensureSeededDatabase(serverUrl, { endedJobs: ended, workers, say }), { max: 2, applicationName: 'bench-sweeping' });
  const [few, many] = [await openPool(fewEndedJobs), await openPool(endedJobs)];
  await Promise.all([few, many].map(removeLiveJobs));
  try {
    const figures: Figure[] = [];
    for (const kind of ['light', 'full'] as const) {
      const turns = { rounds, warmUp: 10, deadlineAt: performance.now() + deadlineMs / 2 };
      const { ours, baseline } = await interleave(turns, await setUp(many, kind), await setUp(few, kind));
      const name = `a ${kind} pass over ${workers} workers beside ${endedJobs} instead of ${fewEndedJobs} ended jobs`;
      for (const share of [0.5, 0.99]) {
        const figure = {
          name: `${name}, p${share * 100}`,
          unit: 'ms',
          ours: quantile(ours, share),
          baseline: quantile(baseline, share),
        } as const;
        figures.push(share === 0.99 ? { ...figure, goal: { of: 'ratio', atMost: 1.5 } } : figure);
      }
    }
    return figures;
  } finally {
    await Promise.all([few, many].map(leaveForOthers));
    await Promise.all([few.end(), many.end()]);
  }
};

/** Passes while each of very many workers has a job, beside as many idle ones: each in its time, before the next is due. */
export const measureRunning = async (
  serverUrl: string,
  { running, rounds, deadlineMs }: { running: number; rounds: number; deadlineMs: number },
): Promise<Figure[]> => {
  const open = async (jobs: number): Promise<Pool> => {
    const databaseUrl = await createFreshDatabase(serverUrl, `bench_running_${jobs}`);
    const pool = createPool(databaseUrl, { max: 2, applicationName: 'bench-running', isDirect: true });
    await registerWorkers(pool, running);
    await addRunning(pool, jobs);
    await pool.query('vacuum (analyze)');
    return pool;
  };
  const [many, none] = [await open(running), await open(0)];
  try {
    const figures: Figure[] = [];
    for (const kind of ['light', 'full'] as const) {
      const turns = { rounds, warmUp: 1, deadlineAt: performance.now() + deadlineMs / 2 };
      const { ours, baseline } = await interleave(turns, await setUp(many, kind), await setUp(none, kind));
      figures.push({
        name: `a ${kind} pass over ${running} workers, each with a job, the slowest`,
        unit: 'ms',
        ours: quantile(ours, 1),
        baseline: quantile(baseline, 1),
        goal: { of: 'ours', atMost: limits.sweepEveryMs },
      });
    }
    return figures;
  } finally {
    await Promise.all([many.end(), none.end()]);
  }
};

const addRunning = async (pool: Pool, jobs: number): Promise<void> => {
  await pool.query(
    `create table running as
     select gen_random_uuid() as job_id, gen_random_uuid() as attempt_id, gen_random_uuid() as user_id, worker_id, ec2_ip as host, ec2_instance_id
     from gh_worker_registry order by worker_id limit $1::int`,
    [jobs],
  );
  for (const statement of [
    `insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity, started_at)
     select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/1', 'Apply', -1, 'running', 'strict', now() from running`,
    `insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity, worker_id,
       started_at, last_heartbeat)
     select attempt_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/1', 'Apply', -1, 'running', 'strict', worker_id, now(), now() from running`,
    `insert into yardmaster.job (job_id, state, reason, owner, user_id, request_hash, accepted_by, request_id, timeout_seconds, attempts, attempt_id,
       job_deadline_at, deadline_at)
     select job_id, 'running', 'running', 'run', user_id, 'hash', 'bench', 'bench', 300, 1, attempt_id, now() + interval '1 day', now() + interval '1 day'
     from running`,
    `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, instance_id, state, claimed_at)
     select attempt_id, job_id, 1, 1, worker_id, host, ec2_instance_id, 'running', now() from running`,
    'drop table running',
  ])
    await pool.query(statement);
};

/** The seeded past must not be pruned from under the next run. */
const seededPastMs = 10 * 365 * 24 * 3_600_000;

/** One pass as the activity makes it, the ports aside: each answers at once for its worker. */
const setUp = async (pool: Pool, kind: SweepKind): Promise<() => Promise<number>> => {
  const { rows } = await pool.query<{ host: string; worker_id: string }>('select ec2_ip as host, worker_id from gh_worker_registry');
  const attempts = await pool.query<{ worker_id: string }>('select worker_id from yardmaster.attempt where ended_at is null');
  const busy = new Set(attempts.rows.map(({ worker_id: workerId }) => workerId));
  const workerAt = new Map(rows.map(({ host, worker_id: workerId }) => [host, workerId]));
  const nobody = async (): Promise<never[]> => [];
  const { sweepFleet } = createSweepActivities({
    ...makeDeps(pool, {
      workflows: {
        wake: async () => {},
        ensureApplyJob: async () => {},
        ensureCommand: async () => {},
        repeatMessage: async () => {},
        ensureRecycleWorker: async () => {},
        ensureDeliverCallbacks: async () => {},
        ensureKamalDeploy: async () => {},
        listAbortedApplyJobs: nobody,
        listStuckWorkflows: nobody,
        listRunningApplyJobs: nobody,
        isKamalDeployRunning: async () => await Promise.resolve(false),
      },
      hosts: {
        readWorkerPort: async (host) => ({
          kind: 'answers',
          status: {
            worker_id: workerAt.get(host) ?? '',
            active_jobs: busy.has(workerAt.get(host) ?? '') ? 1 : 0,
            is_running: true,
            is_draining: false,
            dispatch_mode: 'legacy',
            uptime_ms: 3_600_000,
          },
        }),
        readApi: async () => ({ isUp: true, imageTag: null }),
      },
    }),
    secrets: null,
    retentionMs: seededPastMs,
    deployRetention: { deploysMs: seededPastMs, linesMs: seededPastMs },
    fleetConfig: { read: () => Promise.resolve(noFleetConfig) },
    heartbeat: () => {},
  });
  return async () => {
    await pool.query('update gh_worker_registry set last_heartbeat = now()');
    // GH's beat, and a mirror of ours that is due.
    await pool.query(
      `update gh_automation_jobs set last_heartbeat = now() - case when worker_id is null then interval '1 min' else '0' end where status = 'running'`,
    );
    const startedAt = performance.now();
    const { counts } = await sweepFleet({ full: kind === 'full' });
    const tookMs = msSince(startedAt);
    if (Object.keys(counts).length > 0) throw new Error(`a pass found ${JSON.stringify(counts)} where nothing was to be found`);
    return tookMs;
  };
};

/** Other measures take workers that stay fresh for the whole run (bench/database.ts). */
const leaveForOthers = async (pool: Pool): Promise<void> => {
  await pool.query(`update gh_worker_registry set last_heartbeat = now() + interval '1 day'`);
  await pool.query(`update yardmaster.host_probe set probed_at = now() + interval '1 day'`);
  await pool.query('delete from yardmaster.sweep_report');
};

import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import type { NewJob } from '../../src/contracts/job';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { assignWaitingJobs, type Assignment } from '../../src/db/jobs/assign';
import { moveJob } from '../../src/db/jobs/jobs';
import { mirrorStep } from '../../src/db/jobs/mirror';
import { createPool, withTransaction } from '../../src/db/pool';
import { completed } from '../../test/support/fleet-rows';
import { makeNewJob } from '../../test/support/new-job';
import { assignerSettings } from '../../workers/assigner';
import type { Figure } from '../figures';
import { ensureSeededDatabase } from '../seed';
import { interleave, median, msSince, quantile } from '../statistics';

const workers = 1_000;
const fewEndedJobs = 10;

/** A fleet in a moment: so many jobs run, so many wait. */
interface Scene {
  name: string;
  running: number;
  waiting: number;
}
const scenes: readonly Scene[] = [
  { name: 'a job comes, 500 of 1,000 workers idle', running: 500, waiting: 0 },
  { name: 'a worker gets free, 1,000 jobs wait', running: 1_000, waiting: 1_000 },
];

/** Does assigning know how many jobs have ended? The same fleet beside few of them and beside very many, in turns. */
export const measureAssigning = async (
  serverUrl: string,
  { endedJobs, rounds, deadlineMs, say }: { endedJobs: number; rounds: number; deadlineMs: number; say(line: string): void },
): Promise<Figure[]> => {
  const openPool = async (ended: number): Promise<Pool> =>
    createPool(await ensureSeededDatabase(serverUrl, { endedJobs: ended, workers, say }), {
      max: 2,
      applicationName: 'bench-assigning',
      isDirect: true,
      settings: assignerSettings,
    });
  const [few, many] = [await openPool(fewEndedJobs), await openPool(endedJobs)];
  try {
    const figures: Figure[] = [];
    for (const scene of scenes) {
      const [ours, baseline] = [await setUp(many, scene), await setUp(few, scene)];
      const samples = await interleave({ rounds, warmUp: 20, deadlineAt: performance.now() + deadlineMs / scenes.length }, ours, baseline);
      const figure = (share: number): Omit<Figure, 'goal'> => ({
        name: `assigning beside ${endedJobs} instead of ${fewEndedJobs} ended jobs, ${scene.name}, p${share * 100}`,
        unit: 'ms',
        ours: quantile(samples.ours, share),
        baseline: quantile(samples.baseline, share),
      });
      figures.push(figure(0.5), { ...figure(0.99), goal: { of: 'ratio', atMost: 1.5 } });
    }
    figures.push(await measureBurst({ few, many, endedJobs }));
    return figures;
  } finally {
    // The next measure finds a fleet at rest.
    await Promise.all([few, many].map(removeLiveJobs));
    await Promise.all([few.end(), many.end()]);
  }
};

const burstJobs = 100;
const burstRounds = 3;

/** The end of a pause: many jobs wait, many workers are idle, and one statement pairs them. Taken back each time. */
const measureBurst = async ({ few, many, endedJobs }: { few: Pool; many: Pool; endedJobs: number }): Promise<Figure> => {
  for (const pool of [few, many]) {
    await removeLiveJobs(pool);
    await withTransaction(pool, async (client) => {
      for (let n = 0; n < burstJobs; n++) await acceptAndWait(client);
    });
  }
  const burst = async (pool: Pool): Promise<number> => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      const startedAt = performance.now();
      const assigned = await assign(client);
      const tookMs = msSince(startedAt);
      if (assigned.length !== burstJobs) throw new Error(`${assigned.length} jobs were assigned instead of ${burstJobs}`);
      return tookMs;
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  const { ours, baseline } = await interleave(
    { rounds: burstRounds, warmUp: 0, deadlineAt: Infinity },
    async () => await burst(many),
    async () => await burst(few),
  );
  return {
    name: `assigning beside ${endedJobs} instead of ${fewEndedJobs} ended jobs, a pause ends: ${burstJobs} jobs wait, ${workers} workers idle, p50`,
    unit: 'ms',
    ours: median(ours),
    baseline: median(baseline),
    // The lease lasts 3 s: whoever needs longer for it loses it in the middle, and the next one has as much to do.
    goal: { of: 'ours', atMost: 2_000 },
  };
};

/** Jobs that are assigned at once while a scene is made. */
const jobsPerSetUp = 5;

/** Makes the scene and answers one turn of it, which leaves the fleet as it was: as many jobs run and wait, and one more has ended. */
const setUp = async (pool: Pool, { running, waiting }: Scene): Promise<() => Promise<number>> => {
  await removeLiveJobs(pool);
  const live: Assignment[] = [];
  while (live.length < running) {
    await withTransaction(pool, async (client) => {
      for (let n = 0; n < jobsPerSetUp; n++) await acceptAndWait(client);
      live.push(...(await assign(client)));
    });
  }
  await withTransaction(pool, async (client) => {
    for (const assignment of live) await run(client, assignment);
    for (let n = 0; n < waiting; n++) await acceptAndWait(client);
  });
  if (live.length !== running) throw new Error(`${live.length} jobs run instead of ${running}`);

  return async () => {
    const measured = await withTransaction(pool, async (client) => {
      // The transactions of the orchestrator: a new job waits, or a job ends, and the same transaction assigns.
      if (waiting === 0) await acceptAndWait(client);
      else await end(client, live.shift());
      const startedAt = performance.now();
      const assigned = await assign(client);
      const tookMs = msSince(startedAt);
      if (assigned.length !== 1) throw new Error(`${assigned.length} jobs were assigned instead of one`);
      live.push(...assigned);
      return tookMs;
    });
    await withTransaction(pool, async (client) => {
      await run(client, live.at(-1));
      if (waiting === 0) await end(client, live.shift());
      else await acceptAndWait(client);
    });
    return measured;
  };
};

const assign = async (client: PoolClient): Promise<Assignment[]> =>
  (await assignWaitingJobs(client, { callbackBaseUrl: 'http://127.0.0.1', limits })) ?? [];

const acceptAndWait = async (client: PoolClient): Promise<void> => {
  const job = makeJob();
  await acceptJob(client, job, { actor: 'bench', source: 'rest', address: null }, limits);
  await moveJob(client, {
    jobId: job.jobId,
    generation: 1,
    state: 'waiting',
    reason: 'no_worker_yet',
    deadlineInMs: limits.waitForWorkerMs,
    attempt: null,
  });
};

const run = async (client: PoolClient, assignment: Assignment | undefined): Promise<void> => {
  if (assignment === undefined) throw new Error('no job was assigned');
  const { jobId, attemptId, workerId } = assignment;
  await moveJob(client, {
    jobId,
    generation: 1,
    state: 'running',
    reason: 'running',
    deadlineInMs: 300_000,
    attempt: { attemptId, workerId },
    work: { claim: { claimedAt: null } },
  });
  await mirrorStep(client, jobId, { showsWorkerId: false });
};

const end = async (client: PoolClient, assignment: Assignment | undefined): Promise<void> => {
  if (assignment === undefined) throw new Error('no job runs');
  const { jobId, attemptId, workerId } = assignment;
  await moveJob(client, {
    jobId,
    generation: 1,
    state: 'succeeded',
    reason: 'completed',
    deadlineInMs: null,
    attempt: { attemptId, workerId },
    work: { end: completed },
  });
  await mirrorStep(client, jobId, { showsWorkerId: false });
};

/** What an earlier run, or the scene before, left under way. */
export const removeLiveJobs = async (pool: Pool): Promise<void> => {
  await pool.query(
    `with live as (select job_id from yardmaster.job where ended_at is null),
     attempts as (select attempt_id from yardmaster.attempt where ended_at is null)
     delete from gh_automation_jobs where id in (select job_id from live union all select attempt_id from attempts)`,
  );
  await pool.query('delete from yardmaster.job where ended_at is null');
};

const makeJob = (): NewJob =>
  makeNewJob({ idempotencyKey: randomUUID(), targetUrl: 'https://jobs.example.test/postings/4711', tags: ['bench'], acceptedBy: 'bench' });

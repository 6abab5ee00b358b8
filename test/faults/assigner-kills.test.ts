import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { createPool } from '../../src/db/pool';
import { createLog } from '../../src/log';
import { startAssigner } from '../../workers/assigner';
import { withDatabase } from '../support/database';
import { addWorkers, callbackBaseUrl, completeJob } from '../support/fleet-rows';
import { makeNewJob, testActor } from '../support/new-job';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { until } from '../support/until';

const database = withDatabase();
const forMs = Number(process.env.ASSIGNER_KILLS_MS ?? 60_000);
/** What the issue allows between a kill and the next pair. */
const idleMaxMs = 5_000;
const workers = 20;

/** Its statements and its LISTEN, wherever they are: at work, in a lock, idle. */
const killOne = async (share: number): Promise<number> => {
  const { rowCount } = await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'yardmaster-assigner%' order by md5(pid::text || $1::text) limit 1`,
    [share],
  );
  return rowCount ?? 0;
};

test(
  'P1: assigners whose sessions are killed all the time assign every job once, and leave none waiting beside an idle worker for long',
  async () => {
    const random = createSeededRandom(pickSeed());
    process.stderr.write(`TEST_SEED=${random.seed}\n`);
    const pools = [1, 2].map((n) =>
      createPool(database.databaseUrl, { max: 1, applicationName: `yardmaster-assigner-${n}`, isDirect: true }),
    );
    const assigners = pools.map((pool) =>
      startAssigner({
        pool,
        directUrl: database.databaseUrl,
        callbackBaseUrl,
        workflows: { wake: async () => {} },
        limits,
        log: createLog({ level: 'error', process: 'test' }),
      }),
    );
    await addWorkers(database.pool, workers);
    const endsAt = Date.now() + forMs;
    const isOver = (): boolean => Date.now() > endsAt;
    let [accepted, kills, longestMs] = [0, 0, 0];

    const accept = async (): Promise<void> => {
      while (!isOver()) {
        await acceptJob(database.pool, makeNewJob(), testActor, limits);
        accepted++;
        // Fewer than the workers can take: some are idle all the time.
        await delay(random.between(0, 150));
      }
    };
    const kill = async (): Promise<void> => {
      while (!isOver()) {
        kills += await killOne(random.between(0, 1_000_000));
        await delay(random.between(0, 250));
      }
    };
    /** As GH and the steps do, within a few hundred milliseconds. */
    const work = async (): Promise<number> => {
      const { rows } = await database.pool.query<{ attempt_id: string; job_id: string }>(
        `select attempt_id, job_id from yardmaster.attempt where ended_at is null and assigned_at < now() - interval '300 ms'`,
      );
      for (const { attempt_id: attemptId, job_id: jobId } of rows) {
        await completeJob(database.pool, { jobId, attemptId });
      }
      return rows.length;
    };
    const watch = async (): Promise<void> => {
      let since = Date.now();
      while (!isOver()) {
        const { rows } = await database.pool.query<{ isStuck: boolean }>(
          `select exists (select from yardmaster.job where state in ('accepted', 'waiting'))
             and (select count(*) from yardmaster.attempt where ended_at is null) < $1::int as "isStuck"`,
          [workers],
        );
        if (rows[0]?.isStuck !== true) since = Date.now();
        longestMs = Math.max(longestMs, Date.now() - since);
        await delay(20);
      }
    };
    const doWork = async (): Promise<void> => {
      while (!isOver()) {
        await database.pool.query(
          `update gh_worker_registry set last_heartbeat = now(); update yardmaster.host_probe set probed_at = now()`,
        );
        await work();
        await delay(50);
      }
    };
    await Promise.all([accept(), accept(), kill(), doWork(), watch()]);
    await until(
      async () => {
        await work();
        return (await database.pool.query('select from yardmaster.job where ended_at is null')).rowCount === 0;
      },
      { what: 'all jobs have ended' },
    );
    const { rows } = await database.pool.query<{ jobs: number; attempts: number }>(
      `select count(distinct job_id)::int as jobs, count(*)::int as attempts from yardmaster.attempt`,
    );
    process.stderr.write(`assigner-kills: ${JSON.stringify({ kills, accepted, longestMs })}\n`);
    expect(rows).toEqual([{ jobs: accepted, attempts: accepted }]);
    expect(longestMs).toBeLessThan(idleMaxMs);
    expect(kills).toBeGreaterThan(forMs / 500);
    await Promise.all(assigners.map(async (assigner) => await assigner.close()));
    await Promise.all(pools.map(async (pool) => await pool.end()));
  },
  forMs + 120_000,
);

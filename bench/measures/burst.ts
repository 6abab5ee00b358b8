import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import type { Stack } from '../../dev/tools/stack';
import { startControlPlane } from '../../test/support/control-plane';
import { until } from '../../test/support/until';
import { createFreshDatabase } from '../database';
import type { Figure } from '../figures';
import { msSince, quantile } from '../statistics';

const workers = 20;
/** As many lives as a small machine can take a second leave a queue of thousands, which is the point. */
const assignedWithinMs = 40 * 60_000;
/** Two accepts that overlap may commit in the other order. */
const acceptsOverlapMs = 1_000;

/**
 * Very many jobs in a moment, over processes of their own: what the product hears, what the steps and the sweep come to, and whether the queue is kept. It
 * comes, whether or not it is answered: a slow answer does not slow down what comes next.
 */
export const measureBurst = async (
  stack: Stack,
  { jobs, perSecond, say }: { jobs: number; perSecond: number; say(line: string): void },
): Promise<Figure[]> => {
  const databaseUrl = await createFreshDatabase(stack.databaseUrl, 'bench_burst');
  const pool = createPool(databaseUrl, { max: 2, applicationName: 'bench-burst', isDirect: true });
  const plane = await startControlPlane({
    databaseUrl,
    temporal: { address: stack.temporalAddress, namespace: 'default' },
    dir: path.join(projectRoot(), '.yardmaster/bench/burst'),
    hosts: workers,
    orchestrators: 1,
    timeScale: 0.05,
    logLevel: 'info',
  });
  const watching = new AbortController();
  try {
    const isThere = async (): Promise<boolean> =>
      (await count(pool, `yardmaster.host_probe where is_worker_up and active_jobs = 0`)) === workers;
    await until(isThere, { what: 'the workers are idle' });
    const latest = watchSweeps(pool, watching.signal);
    const startedAt = performance.now();
    const replies = await Promise.all(
      Array.from({ length: jobs }, async (_, n) => {
        await delay((n * 1_000) / perSecond);
        return await plane.submit('https://sim.test/quick?ms=20');
      }),
    );
    say(`${jobs} jobs are accepted after ${(msSince(startedAt) / 1_000).toFixed(0)} s`);
    const areAssigned = async (): Promise<boolean> => {
      const left = await count(pool, `yardmaster.job where state in ('accepted', 'waiting')`);
      say(`${left} jobs wait`);
      return left === 0;
    };
    await until(areAssigned, { what: 'every job is assigned', timeoutMs: assignedWithinMs, everyMs: 2_000 });
    watching.abort();
    const refused = replies.filter(({ status }) => status !== 201 && status !== 202);
    const left = replies.filter(({ status }) => status === 202);
    const took = replies.map(({ sentMs }) => sentMs);
    const what = `a burst of ${jobs} POSTs, ${perSecond}/s`;
    const log = await Promise.all(plane.orchestrators.map(async ({ readLog }) => await readLog()));
    return [
      { name: `${what}: reply, p50`, unit: 'ms', ours: quantile(took, 0.5), baseline: 0 },
      { name: `${what}: reply, the slowest`, unit: 'ms', ours: quantile(took, 1), baseline: 0, goal: { of: 'ours', atMost: 1_000 } },
      { name: `${what}: refused`, unit: 'count', ours: refused.length, baseline: 0, goal: { of: 'ours', atMost: 0 } },
      { name: `${what}: started by the sweep`, unit: 'count', ours: left.length, baseline: 0 },
      { name: `${what}: steps that failed`, unit: 'count', ours: countFailures(log), baseline: 0, goal: { of: 'ours', atMost: 0 } },
      {
        name: `${what}: between two passes of the sweep, the longest`,
        unit: 'ms',
        ours: await latest,
        baseline: 0,
        goal: { of: 'ours', atMost: 30_000 },
      },
      {
        name: `${what}: jobs that were overtaken`,
        unit: 'count',
        ours: await countOvertaken(pool),
        baseline: 0,
        goal: { of: 'ours', atMost: 0 },
      },
    ];
  } finally {
    watching.abort();
    await plane.stop();
    await pool.end();
  }
};

const count = async (pool: Pool, what: string): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from ${what}`);
  return rows[0]?.count ?? 0;
};

/** How long the newest pass was ago, at the most. */
const watchSweeps = async (pool: Pool, signal: AbortSignal): Promise<number> => {
  let longest = 0;
  while (!signal.aborted) {
    const { rows } = await pool.query<{ ago: number | null }>(
      `select (extract(epoch from clock_timestamp() - max(started_at)) * 1000)::float8 as ago from yardmaster.sweep_report where not is_dry_run`,
    );
    longest = Math.max(longest, rows[0]?.ago ?? 0);
    await delay(500, undefined, { signal }).catch(() => undefined);
  }
  return longest;
};

/** All are of one priority and of users of their own, so that the order is that of their acceptance. */
const countOvertaken = async (pool: Pool): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from (
       select j.accepted_at, max(j.accepted_at) over (order by a.assigned_at range between unbounded preceding and interval '1 ms' preceding) as before
       from yardmaster.job j join yardmaster.attempt a on a.job_id = j.job_id and a.number = 1
     ) assigned where before > accepted_at + $1::int * interval '1 ms'`,
    [acceptsOverlapMs],
  );
  return rows[0]?.count ?? 0;
};

const countFailures = (logs: readonly string[]): number =>
  logs.reduce((sum, log) => sum + log.split('\n').filter((line) => line.includes('"message":"Activity failed"')).length, 0);

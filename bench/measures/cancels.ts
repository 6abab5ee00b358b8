import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import type { Stack } from '../../dev/tools/stack';
import { startControlPlane, type ControlPlane } from '../../test/support/control-plane';
import { createFreshDatabase } from '../database';
import type { Figure } from '../figures';
import { median, msSince, quantile } from '../statistics';

export interface CancelTurns {
  /** Jobs that run meanwhile; each cancelled one is followed by another. */
  running: number;
  cancels: number;
  /** Cancels under way at once. */
  concurrency: number;
}

interface Sample {
  /** From the request until the worker loses the listener; null where it has none. */
  listenerMs: number | null;
  /** From the request until the answer that says cancelled, and proves it. */
  stoppedMs: number;
}

/** GH's own last second, at its real length (ghosthands §7.2). */
const exitDelayMs = 1_000;
/** Every fifth worker has no direct URL, so no listener: the deployer recycles it. */
const isDeaf = (index: number): boolean => index % 5 === 4;

/** Cancels of running jobs over REST, with gateway, orchestrator and deployer as processes of their own. */
export const measureCancels = async (stack: Stack, turns: CancelTurns): Promise<Figure[]> => {
  const databaseUrl = await createFreshDatabase(stack.databaseUrl, 'bench_cancels');
  const pool = createPool(databaseUrl, { max: 4, applicationName: 'bench-cancels' });
  const hosts = turns.running + 2 * turns.concurrency;
  const plane = await startControlPlane({
    databaseUrl,
    temporal: { address: stack.temporalAddress, namespace: 'default' },
    dir: path.join(projectRoot(), '.yardmaster/bench/cancels'),
    hosts,
    orchestrators: 1,
    recycles: true,
    timeScale: 1,
    hostOptions: (index) => ({ hasDirectUrl: !isDeaf(index), times: { exitDelayMs, containerRestartMs: 2_500 } }),
  });
  try {
    const samples = await sample(plane, pool, turns);
    const baseline = await measureBareEnd(databaseUrl, pool);
    return figuresOf(samples, baseline);
  } finally {
    await plane.stop();
    await pool.end();
  }
};

const sample = async (plane: ControlPlane, pool: Pool, { running, cancels, concurrency }: CancelTurns): Promise<Sample[]> => {
  const submit = async (): Promise<void> => {
    await plane.submit('https://sim.test/slow-start?startMs=3600000');
  };
  for (let n = 0; n < running; n++) await submit();
  await untilRunning(pool, running);

  const samples: Sample[] = [];
  const taken = new Set<string>();
  let left = cancels;
  const runner = async (): Promise<void> => {
    while (left-- > 0) {
      const jobId = await pickRunning(pool, taken);
      samples.push(await cancelOne(plane, jobId));
      await submit();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runner));
  return samples;
};

const cancelOne = async (plane: ControlPlane, jobId: string): Promise<Sample> => {
  const [startedAt, startedAtMs] = [performance.now(), Date.now()];
  const { outcome } = await plane.cancel(jobId, { waitSeconds: 30 });
  const stoppedMs = msSince(startedAt);
  if (outcome !== 'cancelled') throw new Error(`the cancel of ${jobId} came to ${outcome}`);
  const lost = plane.simulator.log().find((entry) => entry.jobId === jobId && entry.event === 'connection_lost');
  return { listenerMs: lost === undefined ? null : Date.parse(lost.at) - startedAtMs, stoppedMs };
};

const pickRunning = async (pool: Pool, taken: Set<string>): Promise<string> => {
  for (;;) {
    const { rows } = await pool.query<{ job_id: string }>(
      `select job_id from yardmaster.job where state = 'running' and cancel_requested_at is null and job_id <> all($1::uuid[]) order by random() limit 1`,
      [[...taken]],
    );
    if (rows[0] !== undefined) {
      taken.add(rows[0].job_id);
      return rows[0].job_id;
    }
    await delay(100);
  }
};

const untilRunning = async (pool: Pool, jobs: number): Promise<void> => {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from yardmaster.job where state = 'running'`);
    if ((rows[0]?.count ?? 0) >= jobs) return;
    if (performance.now() > deadline) throw new Error(`only ${rows[0]?.count} of ${jobs} jobs run`);
    await delay(200);
  }
};

/** What ending a listener costs at the least: one statement on an open connection, until the other end hears of it. */
const measureBareEnd = async (databaseUrl: string, pool: Pool): Promise<number> => {
  const times: number[] = [];
  for (let n = 0; n < 20; n++) {
    const listener = new Client({ connectionString: databaseUrl });
    await listener.connect();
    await listener.query(`listen bench_listener_${n}`);
    const lost = new Promise<void>((resolve) => {
      listener.on('error', () => undefined);
      listener.on('end', () => resolve());
    });
    const startedAt = performance.now();
    await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = $1`, [
      `listen bench_listener_${n}`,
    ]);
    await lost;
    times.push(msSince(startedAt));
  }
  return median(times);
};

const figuresOf = (samples: readonly Sample[], bareMs: number): Figure[] => {
  const notified = samples.filter((one) => one.listenerMs !== null);
  const deaf = samples.filter(({ listenerMs }) => listenerMs === null).map(({ stoppedMs }) => stoppedMs);
  const listener = notified.map(({ listenerMs }) => listenerMs ?? 0);
  const stopped = notified.map(({ stoppedMs }) => stoppedMs);
  return [
    { name: 'cancel → the listener is ended, p50', unit: 'ms', ours: median(listener), baseline: bareMs },
    {
      name: 'cancel → the listener is ended, p99',
      unit: 'ms',
      ours: quantile(listener, 0.99),
      baseline: bareMs,
      goal: { of: 'ours', atMost: 300 },
    },
    { name: 'cancel → proven stopped, p50', unit: 'ms', ours: median(stopped), baseline: exitDelayMs },
    {
      name: 'cancel → proven stopped, p99',
      unit: 'ms',
      ours: quantile(stopped, 0.99),
      baseline: exitDelayMs,
      goal: { of: 'ours', atMost: 2_500 },
    },
    ...(deaf.length === 0
      ? []
      : ([
          { name: 'cancel → proven stopped, no listener, p50', unit: 'ms', ours: median(deaf), baseline: exitDelayMs },
          { name: 'cancel → proven stopped, no listener, p99', unit: 'ms', ours: quantile(deaf, 0.99), baseline: exitDelayMs },
        ] as const)),
  ];
};

import type { Pool } from 'pg';
import { createSweepActivities } from '../../activities/sweep';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import type { SweepKind } from '../../src/contracts/sweep';
import { createPool } from '../../src/db/pool';
import { makeDeps } from '../../test/support/orchestrator-deps';
import type { Figure } from '../figures';
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

/** The seeded past must not be pruned from under the next run. */
const seededPastMs = 10 * 365 * 24 * 3_600_000;

/** One pass as the activity makes it, the ports aside: each answers at once for its worker. */
const setUp = async (pool: Pool, kind: SweepKind): Promise<() => Promise<number>> => {
  const { rows } = await pool.query<{ host: string; worker_id: string }>('select ec2_ip as host, worker_id from gh_worker_registry');
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
            active_jobs: 0,
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

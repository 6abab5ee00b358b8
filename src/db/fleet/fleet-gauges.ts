import { jobStates } from '../../contracts/job';
import { noFleetConfig, type FleetConfig } from '../../contracts/fleet-config';
import type { Limits } from '../../contracts/limits';
import { addressesOf } from '../../domain/fleet-config';
import { countWorkersByHealth, reportHosts } from '../../domain/fleet-report';
import { healthStatuses } from '../../domain/health';
import { isTerminal } from '../../domain/job-state';
import { listProbes } from './fleet';
import { listHolds } from './holds';
import { countLiveJobs } from '../jobs/job-counts';
import { listLocatedWorkers } from './located-workers';
import type { Queryable } from '../queryable';
import { readLastSweepAge } from './sweep-reports';
import { countWorkers, workerConditions } from './worker-counts';

interface ConfigReader {
  current(): FleetConfig;
}

export interface FleetGauge {
  name: string;
  help: string;
  labelNames: readonly string[];
  read: () => Promise<{ labels?: Record<string, string>; value: number }[]>;
}

const liveStates = jobStates.filter((state) => !isTerminal(state));

/**
 * Figures of the fleet for `metrics.addGauge`. Each statement touches live rows only, so none grows with what has ended, and no label names a host,
 * a worker or a job.
 */
export const fleetGauges = (db: Queryable, limits: Limits, fleetConfig: ConfigReader = { current: () => noFleetConfig }): FleetGauge[] => [
  {
    name: 'yardmaster_jobs',
    help: 'Jobs that have not ended, by state.',
    labelNames: ['state'],
    read: async () => {
      const counts = await countLiveJobs(db);
      return liveStates.map((state) => ({ labels: { state }, value: counts.find((count) => count.state === state)?.jobs ?? 0 }));
    },
  },
  {
    name: 'yardmaster_oldest_waiting_job_seconds',
    help: 'How long the oldest job has waited for a worker.',
    labelNames: [],
    read: async () =>
      await readOne(db, `coalesce(extract(epoch from now() - min(state_at)), 0)::float8`, `yardmaster.job where state = 'waiting'`),
  },
  {
    name: 'yardmaster_open_commands',
    help: 'Commands without an end, by kind.',
    labelNames: ['kind'],
    read: async () => {
      const { rows } = await db.query<{ kind: string; commands: number }>(
        `select kind, count(*)::int as commands from yardmaster.command where ended_at is null group by kind`,
      );
      return rows.map(({ kind, commands }) => ({ labels: { kind }, value: commands }));
    },
  },
  {
    name: 'yardmaster_undelivered_callbacks',
    help: 'Callbacks to the product that are not settled: fresh ones, and those that have failed at least once.',
    labelNames: ['tried'],
    read: async () => {
      const { rows } = await db.query<{ tried: boolean; callbacks: number }>(
        `select tries > 0 as tried, count(*)::int as callbacks from yardmaster.callback where settled_at is null group by 1`,
      );
      return rows.map(({ tried, callbacks }) => ({ labels: { tried: String(tried) }, value: callbacks }));
    },
  },
  {
    name: 'yardmaster_oldest_undelivered_callback_seconds',
    help: 'Age of the oldest callback that is not settled.',
    labelNames: [],
    read: async () =>
      await readOne(db, `coalesce(extract(epoch from now() - min(created_at)), 0)::float8`, `yardmaster.callback where settled_at is null`),
  },
  {
    name: 'yardmaster_workers',
    help: 'Registered workers, by the condition that keeps them from a job.',
    labelNames: ['condition'],
    read: async () => {
      const { counts } = await countWorkers(db, { wantedId: null, limits });
      return workerConditions.map((condition) => ({ labels: { condition }, value: counts[condition] }));
    },
  },
  {
    name: 'yardmaster_workers_by_health',
    help: 'Workers of the last day, by the health of their host.',
    labelNames: ['health'],
    read: async () => {
      const counts = countWorkersByHealth(await readHosts(db, limits, fleetConfig));
      return healthStatuses.map((health) => ({ labels: { health }, value: counts[health] }));
    },
  },
  {
    name: 'yardmaster_hosts',
    help: 'Hosts of the last day, by health.',
    labelNames: ['health'],
    read: async () => {
      const { hosts } = await readHosts(db, limits, fleetConfig);
      return healthStatuses.map((health) => ({ labels: { health }, value: hosts.filter((host) => host.health === health).length }));
    },
  },
  {
    name: 'yardmaster_held_hosts',
    help: 'Hosts that get no new job because somebody holds them.',
    labelNames: [],
    read: async () => await readOne(db, 'count(distinct host)::int', `yardmaster.host_hold where host <> '*' and ${isInForce}`),
  },
  {
    name: 'yardmaster_fleet_paused',
    help: '1 while nothing new is assigned anywhere.',
    labelNames: [],
    read: async () => await readOne(db, 'count(distinct host)::int', `yardmaster.host_hold where host = '*' and ${isInForce}`),
  },
  lastSweepAgeGauge(db),
];

/** Also the gateway's, since dead orchestrators report nothing of themselves. */
export const lastSweepAgeGauge = (db: Queryable): FleetGauge => ({
  name: 'yardmaster_last_sweep_age_seconds',
  help: 'Since the last pass of the sweep ended; absent before the first.',
  labelNames: [],
  read: async () => {
    const age = await readLastSweepAge(db);
    return age === null ? [] : [{ value: age }];
  },
});

const isInForce = '(expires_at is null or expires_at > now())';

const readHosts = async (db: Queryable, limits: Limits, fleetConfig: ConfigReader) => {
  const [workers, probes, holds] = await Promise.all([
    listLocatedWorkers(db, limits, { isInTransaction: false }),
    listProbes(db, limits),
    listHolds(db),
  ]);
  return reportHosts({ workers, probes, holds, configured: addressesOf(fleetConfig.current()) });
};

const readOne = async (db: Queryable, figure: string, from: string): Promise<{ value: number }[]> =>
  (await db.query<{ value: number }>(`select ${figure} as value from ${from}`)).rows;

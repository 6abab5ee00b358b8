import type { Queryable } from './queryable';

export interface FleetGauge {
  name: string;
  help: string;
  labelNames: readonly string[];
  read: () => Promise<{ labels?: Record<string, string>; value: number }[]>;
}

/** Figures of the fleet for `metrics.addGauge`. Each statement touches live rows only, so none grows with what has ended. */
export const fleetGauges = (db: Queryable): FleetGauge[] => [
  {
    name: 'yardmaster_jobs',
    help: 'Jobs that have not ended, by state.',
    labelNames: ['state'],
    read: async () => {
      const { rows } = await db.query<{ state: string; jobs: number }>(
        `select state, count(*)::int as jobs from yardmaster.job where ended_at is null group by state`,
      );
      return rows.map(({ state, jobs }) => ({ labels: { state }, value: jobs }));
    },
  },
  {
    name: 'yardmaster_oldest_waiting_job_seconds',
    help: 'How long the oldest job has waited for a worker.',
    labelNames: [],
    read: async () => {
      const { rows } = await db.query<{ seconds: number }>(
        `select coalesce(extract(epoch from now() - min(state_at)), 0)::float8 as seconds from yardmaster.job where state = 'waiting'`,
      );
      return rows.map(({ seconds }) => ({ value: seconds }));
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
    name: 'yardmaster_holds',
    help: 'Hosts that get no new job; host "*" is the pause of the whole fleet.',
    labelNames: ['host'],
    read: async () => {
      const { rows } = await db.query<{ host: string }>(
        `select distinct host from yardmaster.host_hold where expires_at is null or expires_at > now()`,
      );
      return rows.map(({ host }) => ({ labels: { host }, value: 1 }));
    },
  },
];

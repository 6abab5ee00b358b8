import { queuedStates } from '../../domain/job-state';
import type { Queryable } from '../queryable';
import { inWords } from '../words';

/** The fleet in a few figures, for pages that everybody may read. No query of it grows with the jobs that have ended. */
export interface FleetSummary {
  /** Attempts that are with a worker. */
  activeJobs: number;
  waitingJobs: number;
  uncertainJobs: number;
  hostsUp: number;
  workersUp: number;
  isPaused: boolean;
  /** Of the deploy that is under way. */
  currentDeploy: string | null;
}

export const readFleetSummary = async (db: Queryable, { probeFreshMs }: { probeFreshMs: number }): Promise<FleetSummary> => {
  const { rows } = await db.query<FleetSummary>(
    `select (select count(*)::int from yardmaster.attempt where ended_at is null) as "activeJobs",
       (select count(*)::int from yardmaster.job where ended_at is null and state ${inWords(queuedStates)}) as "waitingJobs",
       (select count(*)::int from yardmaster.job where ended_at is null and state = 'uncertain') as "uncertainJobs",
       (select count(*)::int from yardmaster.host_probe where is_api_up and probed_at > now() - $1::int * interval '1 ms') as "hostsUp",
       (select count(*)::int from yardmaster.host_probe where is_worker_up and probed_at > now() - $1::int * interval '1 ms') as "workersUp",
       exists (select from yardmaster.host_hold where host = '*' and (expires_at is null or expires_at > now())) as "isPaused",
       (select coalesce(resolved_version, version) from yardmaster.deploy where ended_at is null order by requested_at limit 1) as "currentDeploy"`,
    [probeFreshMs],
  );
  const summary = rows[0];
  if (summary === undefined) throw new Error('an aggregate answered no row');
  return summary;
};

/** What ended since then, by the database's clock. */
export interface JobTotals {
  created: number;
  completed: number;
  failed: number;
  retried: number;
  totalDurationMs: number;
}

export const readJobTotals = async (db: Queryable, { sinceMs }: { sinceMs: number }): Promise<JobTotals> => {
  const { rows } = await db.query<JobTotals>(
    `select (select count(*)::int from yardmaster.job where accepted_at >= now() - $1::bigint * interval '1 ms') as created,
       count(*) filter (where state = 'succeeded')::int as completed, count(*) filter (where state = 'failed')::int as failed,
       count(*) filter (where attempts > 1)::int as retried,
       coalesce(sum(extract(epoch from ended_at - accepted_at) * 1000) filter (where state = 'succeeded'), 0)::float8 as "totalDurationMs"
     from yardmaster.job where ended_at >= now() - $1::bigint * interval '1 ms'`,
    [sinceMs],
  );
  return rows[0] ?? { created: 0, completed: 0, failed: 0, retried: 0, totalDurationMs: 0 };
};

/** Public jobs whose worker has been silent on their row for so long, the longest silence first. */
export const listSilentJobs = async (db: Queryable, { afterMs }: { afterMs: number }): Promise<string[]> => {
  const { rows } = await db.query<{ jobId: string }>(
    `select a.job_id as "jobId" from yardmaster.attempt a join gh_automation_jobs g on g.id = a.attempt_id
     where a.ended_at is null and a.state = 'running' and g.last_heartbeat < now() - $1::int * interval '1 ms'
     order by g.last_heartbeat limit 200`,
    [afterMs],
  );
  return rows.map(({ jobId }) => jobId);
};

/** A registry row in GH's own fields, but for the job, which is the public one: the row itself points at an attempt. */
export interface RegistryRow {
  worker_id: string;
  status: string;
  target_worker_id: string | null;
  ec2_instance_id: string | null;
  ec2_ip: string | null;
  current_job_id: string | null;
  registered_at: Date;
  last_heartbeat: Date;
  jobs_completed: number;
  jobs_failed: number;
  uptime_seconds: number;
}

export const listRegistryPage = async (db: Queryable, { rows: most }: { rows: number }): Promise<RegistryRow[]> => {
  const { rows } = await db.query<RegistryRow>(
    `select r.worker_id, r.status, r.target_worker_id, r.ec2_instance_id, r.ec2_ip, a.job_id as current_job_id, r.registered_at, r.last_heartbeat,
       r.jobs_completed, r.jobs_failed,
       -- An infinite moment cannot be subtracted before Postgres 17, nor do two thousand years fit.
       least(2147483647, greatest(0, case when isfinite(r.registered_at) then extract(epoch from now() - r.registered_at) end))::int as uptime_seconds
     from gh_worker_registry r left join yardmaster.attempt a on a.worker_id = r.worker_id and a.ended_at is null
     order by r.registered_at desc, r.worker_id limit $1::int`,
    [most],
  );
  return rows;
};

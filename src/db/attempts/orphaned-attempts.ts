import type { Limits } from '../../contracts/limits';
import type { OrphanedAttempt, OrphanedEnd } from '../../domain/orphaned-attempt';
import { callAssigner } from '../jobs/assign';
import { portColumns, toPort, type PortRow } from './attempt-port';
import { queryNamed, type Queryable } from '../queryable';

/** What the attempt `a` is to its job `j`: nothing any more. */
export const isOrphaned = `(j.ended_at is not null or j.attempt_id is distinct from a.attempt_id)`;

/** Attempts that outlived their job's interest (a resolved review, an earlier generation), with all that is seen of their workers. */
export const listOrphanedAttempts = async (
  db: Queryable,
  limits: Pick<Limits, 'probeFreshMs' | 'fleetRowsMax'>,
): Promise<OrphanedAttempt[]> => {
  const { rows } = await queryNamed<OrphanedRow>(db, {
    name: 'list_orphaned_attempts',
    text: `
     with backend as materialized (
       select distinct query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and (query like 'LISTEN "gh\\_job\\_cancel\\_%' or query = '<insufficient privilege>')
     ), orphaned as materialized (
       select a.attempt_id, a.job_id, a.worker_id, a.host, coalesce(a.claimed_at, a.assigned_at) as begun_at
       from yardmaster.attempt a join yardmaster.job j using (job_id)
       where a.ended_at is null and ${isOrphaned} order by a.assigned_at limit $2::int
     )
     select l.attempt_id, l.job_id, l.worker_id, (extract(epoch from l.begun_at) * 1000)::float8 as begun_at_ms,
       (extract(epoch from now()) * 1000)::float8 as now_ms,
       g.id is not null as has_row, g.status as row_status, g.error_code,
       -- By GH's recovery, past the process that has it (src/domain/attempt-finding.ts).
       g.result_data is null and (g.worker_id is null or coalesce(g.error_details ?| '{released_by,recovered_by}'::text[], false)) as is_completed_by_others,
       (extract(epoch from now() - case when isfinite(g.last_heartbeat) then g.last_heartbeat end) * 1000)::float8 as heartbeat_age_ms,
       ${portColumns},
       (extract(epoch from p.said_since) * 1000)::float8 as unchanged_since_ms,
       case when exists (select from backend b where b.query = 'LISTEN "gh_job_cancel_' || l.attempt_id || '"') then 'present'
         when exists (select from backend b where b.query = '<insufficient privilege>') then 'unreadable' else 'absent' end as listener
     from orphaned l
     left join gh_automation_jobs g on g.id = l.attempt_id
     left join yardmaster.host_probe p on p.host = l.host and p.probed_at > l.begun_at and p.probed_at > now() - $1::int * interval '1 ms'`,
    values: [limits.probeFreshMs, limits.fleetRowsMax],
  });
  return rows.map(toOrphaned);
};

/** Ends those that are still what they were found to be; their workers are free. */
export const endOrphanedAttempts = async (
  db: Queryable,
  ends: readonly { attemptId: string; end: OrphanedEnd }[],
): Promise<{ attemptId: string; jobId: string }[]> => {
  const { rows } = await db.query<{ attemptId: string; jobId: string }>(
    `update yardmaster.attempt a set state = 'ended', ended_at = now(), end_reason = e."end"
     from jsonb_to_recordset($1::jsonb) as e("attemptId" uuid, "end" text), yardmaster.job j
     where a.attempt_id = e."attemptId" and a.ended_at is null and j.job_id = a.job_id and ${isOrphaned}
     returning a.attempt_id as "attemptId", a.job_id as "jobId", ${callAssigner}`,
    [JSON.stringify(ends)],
  );
  return rows.map(({ attemptId, jobId }) => ({ attemptId, jobId }));
};

/** Ended jobs that still have a copy of the personal data in an ended attempt row. */
export const listUnerasedJobs = async (db: Queryable, { rows: limit }: { rows: number }): Promise<string[]> => {
  const { rows } = await db.query<{ job_id: string }>(
    `select distinct a.job_id from yardmaster.attempt a join yardmaster.job j using (job_id)
     where a.erased_at is null and a.ended_at is not null and j.ended_at is not null limit $1::int`,
    [limit],
  );
  return rows.map(({ job_id: jobId }) => jobId);
};

/** A ghost waiter is gone when its wait has its end in the events, 300 s after it began (ghosthands §6.3); its worker is then idle again. */
export const clearLeftWaiters = async (db: Queryable): Promise<number> => {
  const { rowCount } = await db.query(
    `update yardmaster.attempt a set has_left_waiter = false
     where a.has_left_waiter and (
       select count(*) filter (where event_type = 'hitl_paused') <= count(*) filter (where event_type in ('hitl_resumed', 'hitl_timeout'))
       from gh_job_events e where e.job_id = a.attempt_id)
     returning ${callAssigner}`,
  );
  return rowCount ?? 0;
};

interface OrphanedRow extends PortRow {
  attempt_id: string;
  job_id: string;
  worker_id: string;
  begun_at_ms: number;
  now_ms: number;
  has_row: boolean;
  row_status: string;
  error_code: string | null;
  is_completed_by_others: boolean;
  heartbeat_age_ms: number | null;
  unchanged_since_ms: number | null;
  listener: OrphanedAttempt['listener'];
}

const toOrphaned = (row: OrphanedRow): OrphanedAttempt => ({
  attemptId: row.attempt_id,
  jobId: row.job_id,
  workerId: row.worker_id,
  begunAtMs: row.begun_at_ms,
  nowMs: row.now_ms,
  row: row.has_row
    ? {
        status: row.row_status,
        errorCode: row.error_code,
        heartbeatAgeMs: row.heartbeat_age_ms,
        isCompletedByOthers: row.is_completed_by_others,
      }
    : null,
  port: toPort(row),
  unchangedSinceMs: row.unchanged_since_ms,
  listener: row.listener,
});

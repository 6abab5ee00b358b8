import type { HumanKind, JobState } from '../../contracts/job';
import type { Limits } from '../../contracts/limits';
import type { LiveAttempt } from '../../domain/attempt-sweep';
import { callAssigner } from '../jobs/assign';
import { portColumns, toPort, type PortRow } from './attempt-port';
import { queryNamed, type Queryable } from '../queryable';

/** Every attempt that has not ended, with its rows, its worker's last probe and the processes that listen for its cancel, in one moment. */
export const listLiveAttempts = async (db: Queryable, limits: Pick<Limits, 'probeFreshMs' | 'fleetRowsMax'>): Promise<LiveAttempt[]> => {
  const { rows } = await queryNamed<AttemptRow>(db, {
    name: 'list_live_attempts',
    text: `
     with listener as materialized (
       select query, count(*)::int as processes from pg_stat_activity
       where datname = current_database() and query like 'LISTEN "gh\\_job\\_cancel\\_%' group by query
     )
     select a.attempt_id, a.job_id, j.attempt_id is not distinct from a.attempt_id as is_current, j.state as job_state, j.human_kind,
       j.is_owner_in_doubt, (extract(epoch from now() - j.touched_at) * 1000)::float8 as touched_age_ms, a.worker_id, a.host,
       (extract(epoch from a.claimed_at) * 1000)::float8 as claimed_at_ms, g.id is not null as has_row, g.status as row_status, g.worker_id as claimed_by,
       -- Postgres before 17 refuses to subtract an infinite moment.
       case when isfinite(g.last_heartbeat) then (extract(epoch from now() - g.last_heartbeat) * 1000)::float8 end as heartbeat_age_ms,
       r.status as registry_status,
       ${portColumns},
       (extract(epoch from now() - greatest(p.said_since, least(p.process_started_at, p.probed_at))) * 1000)::float8 as port_changed_age_ms,
       coalesce(l.processes, 0) as listeners
     from yardmaster.attempt a
     join yardmaster.job j using (job_id)
     left join gh_automation_jobs g on g.id = a.attempt_id
     left join gh_worker_registry r on r.worker_id = a.worker_id
     left join yardmaster.host_probe p on p.host = a.host and p.probed_at > a.claimed_at and p.probed_at > now() - $1::int * interval '1 ms'
     left join listener l on l.query = 'LISTEN "gh_job_cancel_' || a.attempt_id || '"'
     where a.ended_at is null
     order by a.assigned_at limit $2::int`,
    values: [limits.probeFreshMs, limits.fleetRowsMax],
  });
  return rows.map(toLiveAttempt);
};

/** Our record follows who claimed; not where that worker has another attempt already, since it runs one at a time. Answers which were changed. */
export const reownAttempts = async (
  db: Queryable,
  claims: readonly { attemptId: string; from: string; to: string }[],
): Promise<string[]> => {
  const { rows } = await db.query<{ attempt_id: string }>(
    `update yardmaster.attempt a set worker_id = c."to", host = coalesce(yardmaster.machine_name(r.ec2_ip), a.host),
       instance_id = yardmaster.machine_name(r.ec2_instance_id)
     from jsonb_to_recordset($1::jsonb) as c("attemptId" uuid, "from" text, "to" text)
     join gh_automation_jobs g on g.id = c."attemptId" and g.worker_id = c."to"
     left join gh_worker_registry r on r.worker_id = c."to"
     where a.attempt_id = c."attemptId" and a.ended_at is null and a.worker_id = c."from"
       and not exists (select from yardmaster.attempt o where o.worker_id = c."to" and o.ended_at is null)
     returning a.attempt_id, ${callAssigner}`,
    [JSON.stringify(claims)],
  );
  return rows.map(({ attempt_id: attemptId }) => attemptId);
};

interface AttemptRow extends PortRow {
  attempt_id: string;
  job_id: string;
  is_current: boolean;
  job_state: JobState;
  human_kind: HumanKind | null;
  is_owner_in_doubt: boolean;
  touched_age_ms: number;
  worker_id: string;
  host: string | null;
  claimed_at_ms: number | null;
  has_row: boolean;
  row_status: string;
  claimed_by: string | null;
  heartbeat_age_ms: number | null;
  registry_status: string | null;
  port_changed_age_ms: number | null;
  listeners: number;
}

const toLiveAttempt = (row: AttemptRow): LiveAttempt => ({
  attemptId: row.attempt_id,
  jobId: row.job_id,
  isCurrent: row.is_current,
  jobState: row.job_state,
  humanKind: row.human_kind,
  isOwnerInDoubt: row.is_owner_in_doubt,
  jobTouchedAgeMs: row.touched_age_ms,
  workerId: row.worker_id,
  host: row.host,
  claimedAtMs: row.claimed_at_ms,
  row: row.has_row ? { status: row.row_status, claimedBy: row.claimed_by, heartbeatAgeMs: row.heartbeat_age_ms } : null,
  registryStatus: row.registry_status,
  port: toPort(row),
  portChangedAgeMs: row.port_changed_age_ms,
  listeners: row.listeners,
});

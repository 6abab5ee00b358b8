import type { OfflineRepair } from '../../domain/registry-sweep';
import { queryNamed, type Queryable } from '../queryable';

/** A registry row before anybody knows where it can be asked. */
export interface RegistryRow {
  workerId: string;
  status: string;
  address: string | null;
  instanceId: string | null;
  heartbeatAgeMs: number | null;
  registeredAgeMs: number | null;
  beat: string | null;
  endedJob: { jobId: string; ageMs: number } | null;
}

/** The rows that say that they live, or did a moment ago, or say nothing about it. */
export const listRegistry = async (db: Queryable, { rows: limit }: { rows: number }): Promise<RegistryRow[]> => {
  const { rows } = await queryNamed<RegistryRow>(db, {
    name: 'list_registry',
    text: `
     select r.worker_id as "workerId", r.status, yardmaster.machine_name(r.ec2_ip) as address, yardmaster.machine_name(r.ec2_instance_id) as "instanceId",
       -- Postgres before 17 refuses to subtract an infinite moment, and one such row would end every pass.
       case when isfinite(r.last_heartbeat) then (extract(epoch from now() - r.last_heartbeat) * 1000)::float8 end as "heartbeatAgeMs",
       case when isfinite(r.registered_at) then (extract(epoch from now() - r.registered_at) * 1000)::float8 end as "registeredAgeMs",
       r.last_heartbeat::text as beat,
       case when over.at is not null
         then json_build_object('jobId', a.job_id, 'ageMs', (extract(epoch from now() - over.at) * 1000)::float8) end as "endedJob"
     from gh_worker_registry r
     left join yardmaster.attempt a on a.attempt_id = r.current_job_id
     left join yardmaster.job j on j.job_id = a.job_id
     -- A person may end a job, or open its next generation, while the attempt keeps its worker.
     cross join lateral (select coalesce(a.ended_at, j.ended_at, case when j.attempt_id is distinct from a.attempt_id then j.state_at end) as at) over
     where r.status <> 'offline' or r.last_heartbeat > now() - interval '10 min'
     order by r.worker_id limit $1::int`,
    values: [limit],
  });
  return rows;
};

/** Answers whose row was put right. A beat that came meanwhile wins, and so does a new status. */
export const markWorkersOffline = async (db: Queryable, repairs: readonly OfflineRepair[]): Promise<string[]> => {
  if (repairs.length === 0) return [];
  const { rows } = await queryNamed<{ worker_id: string }>(db, {
    name: 'mark_workers_offline',
    text: `
     update gh_worker_registry r set status = 'offline'
     from jsonb_to_recordset($1::jsonb) as seen("workerId" text, status text, beat text)
     where r.worker_id = seen."workerId" and r.status = seen.status and r.last_heartbeat = seen.beat::timestamptz
     returning r.worker_id`,
    values: [JSON.stringify(repairs)],
  });
  return rows.map(({ worker_id: workerId }) => workerId);
};

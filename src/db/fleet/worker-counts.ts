import type { Limits } from '../../contracts/limits';
import { idleWorkers, isDeaf, waiterIsLeft } from '../jobs/assign';
import type { Queryable } from '../queryable';

/** Why a worker takes no job, in the order in which one reason is named when several apply; `idle` takes one. */
export const workerConditions = ['idle', 'offline', 'stale', 'inQueueMode', 'draining', 'twin', 'held', 'tainted', 'deaf', 'busy'] as const;
export type WorkerCondition = (typeof workerConditions)[number];

export type WorkerCounts = Record<WorkerCondition, number>;

/** All registered workers by condition, and the condition of the one that a job asks for (null: nobody has that id). */
export const countWorkers = async (
  db: Queryable,
  { wantedId, limits }: { wantedId: string | null; limits: Pick<Limits, 'workerHeartbeatFreshMs' | 'probeFreshMs' | 'deafWorkerMs'> },
): Promise<{ counts: WorkerCounts; wanted: WorkerCondition | null }> => {
  const { rows } = await db.query<{ condition: WorkerCondition; workers: number; is_wanted: boolean }>(countStatement, [
    limits.workerHeartbeatFreshMs,
    limits.probeFreshMs,
    limits.deafWorkerMs,
    wantedId,
  ]);
  const counted = rows.map((row) => [row.condition, row.workers] as const);
  return {
    counts: { ...nobody, ...Object.fromEntries(counted) },
    wanted: rows.find((row) => row.is_wanted)?.condition ?? null,
  };
};

const nobody: WorkerCounts = {
  idle: 0,
  offline: 0,
  stale: 0,
  inQueueMode: 0,
  draining: 0,
  twin: 0,
  held: 0,
  tainted: 0,
  deaf: 0,
  busy: 0,
};

/**
 * The workers with their condition, as the table `seen`: who is idle is the assigning statement's own rule, the rest names the first of its conditions
 * that a worker misses. $1 to $3 are its limits, $4 is the id that a job asks for.
 */
export const withConditions = `
with idle as materialized (${idleWorkers}),
seen as (
  select r.worker_id, $4::text is not null and ($4::text in (r.worker_id, r.target_worker_id)
      or (select yardmaster.machine_name($4)) = yardmaster.machine_name(r.ec2_instance_id)) as is_wanted,
    case
      when r.worker_id in (select worker_id from idle) then 'idle'
      when r.status = 'offline' then 'offline'
      when r.last_heartbeat <= now() - $1::int * interval '1 ms' or p.host is null or p.probed_at <= now() - $2::int * interval '1 ms'
        or not p.is_worker_up then 'stale'
      when p.dispatch_mode is distinct from 'legacy' then 'inQueueMode'
      when r.status = 'draining' or p.is_draining is distinct from false or p.is_running is distinct from true then 'draining'
      when exists (select from yardmaster.host_probe t
        where t.worker_id = r.worker_id and t.host <> p.host and t.is_worker_up and t.probed_at > now() - $2::int * interval '1 ms') then 'twin'
      when exists (select from yardmaster.host_hold h
        where h.host in ('*', p.host, yardmaster.machine_name(r.ec2_instance_id)) and (h.expires_at is null or h.expires_at > now())) then 'held'
      when exists (select from yardmaster.attempt a
        where a.worker_id = r.worker_id and ${waiterIsLeft}) then 'tainted'
      when exists (select from yardmaster.attempt a
        where a.worker_id = r.worker_id and ${isDeaf}) then 'deaf'
      else 'busy'
    end as condition
  from gh_worker_registry r
  left join yardmaster.host_probe p on p.host = yardmaster.machine_name(r.ec2_ip) and p.worker_id = r.worker_id
)`;

const countStatement = `${withConditions}
select condition, count(*)::int as workers, coalesce(bool_or(is_wanted), false) as is_wanted from seen group by condition`;

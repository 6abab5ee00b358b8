import type { Limits } from '../contracts/limits';
import type { Queryable } from './queryable';

/** A worker whose registry row was put right. */
export interface SilentWorker {
  workerId: string;
  reason: 'silent' | 'replaced';
}

/**
 * Marks workers offline that have not beaten for long, or for less long where a newer one beats from their address; draining ones too, which GH
 * never reaps (ghosthands §5). Never one whose port answers: it lost its way to the database, or its clock is wrong, and lives.
 */
export const markSilentWorkersOffline = async (
  db: Queryable,
  limits: Pick<Limits, 'workerSilentMs' | 'workerReplacedMs' | 'workerHeartbeatFreshMs' | 'probeFreshMs'>,
): Promise<SilentWorker[]> => {
  const { rows } = await db.query<SilentWorker>(
    `with silent as (
       select r.worker_id, case when r.last_heartbeat < now() - $1::int * interval '1 ms' then 'silent' else 'replaced' end as reason
       from gh_worker_registry r
       where r.status in ('active', 'draining') and r.last_heartbeat < now() - $2::int * interval '1 ms'
         and (r.last_heartbeat < now() - $1::int * interval '1 ms'
           or exists (select from gh_worker_registry n
             -- Names such as unknown and local are the address of many (ghosthands §5).
             where n.ec2_ip = r.ec2_ip and r.ec2_ip ~ '^[0-9a-fA-F]*[.:]' and n.worker_id <> r.worker_id and n.status = 'active' and n.registered_at > r.registered_at
               and n.last_heartbeat > now() - $3::int * interval '1 ms'))
         and not exists (select from yardmaster.host_probe p
           where p.worker_id = r.worker_id and p.is_worker_up and p.probed_at > now() - $4::int * interval '1 ms')
     )
     update gh_worker_registry r set status = 'offline'
     from silent s
     -- A beat that came meanwhile wins.
     where r.worker_id = s.worker_id and r.status in ('active', 'draining') and r.last_heartbeat < now() - $2::int * interval '1 ms'
     returning r.worker_id as "workerId", s.reason`,
    [limits.workerSilentMs, limits.workerReplacedMs, limits.workerHeartbeatFreshMs, limits.probeFreshMs],
  );
  return rows;
};

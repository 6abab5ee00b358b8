import type { RegisteredWorker, RouteFacts } from '../../domain/route-command';
import type { Queryable } from '../queryable';
import { findSandboxAddress } from '../fleet/sandboxes';

/** What routing looks up for a job's present attempt, in one moment; `now` is the database's clock. */
export interface RouteLookup {
  attempt: (NonNullable<RouteFacts['attempt']> & { claimedAt: Date | null }) | null;
  registry: RegisteredWorker[];
  sandboxHost: string | null;
}

/** A row with a heartbeat from the future or none is not live: nobody knows when it was written. */
export const lookUpRoute = async (db: Queryable, jobId: string, { freshMs }: { freshMs: number }): Promise<RouteLookup> => {
  const { rows: attempts } = await db.query<{
    attempt_id: string;
    worker_id: string;
    host: string | null;
    instance_id: string | null;
    claimed_at: Date | null;
    claimed_by: string | null;
  }>(
    `select a.attempt_id, a.worker_id, a.host, a.instance_id, a.claimed_at, coalesce(g.worker_id, case when a.claimed_at is not null then a.worker_id end) as claimed_by
     from yardmaster.job j join yardmaster.attempt a on a.attempt_id = j.attempt_id and a.ended_at is null
     left join gh_automation_jobs g on g.id = a.attempt_id where j.job_id = $1::uuid`,
    [jobId],
  );
  const row = attempts[0];
  if (row === undefined) return { attempt: null, registry: [], sandboxHost: null };
  const { rows: registry } = await db.query<RegisteredWorker>(
    `select worker_id as "workerId", yardmaster.machine_name(ec2_ip) as host, yardmaster.machine_name(ec2_instance_id) as "instanceId", registered_at as "registeredAt",
       status in ('active', 'draining') and last_heartbeat between now() - $4::int * interval '1 ms' and now() + interval '1 min' as "isLive"
     from gh_worker_registry where worker_id in ($1, $5) or yardmaster.machine_name(ec2_ip) = $2 or yardmaster.machine_name(ec2_instance_id) = $3`,
    [row.worker_id, row.host, row.instance_id, freshMs, row.claimed_by],
  );
  return {
    attempt: {
      attemptId: row.attempt_id,
      claimedBy: row.claimed_by,
      target: row.worker_id,
      host: row.host,
      instanceId: row.instance_id,
      claimedAt: row.claimed_at,
    },
    registry,
    sandboxHost: await findSandboxAddress(db, row.instance_id),
  };
};

import type { WorkerDatabase } from './worker-database';

export interface RegistryIdentity {
  workerId: string;
  instanceId: string;
  ip: string;
}

/** Keeps registered_at and an old current_job_id of a row that is there already (ghosthands §2.3). */
export async function registerWorker(database: WorkerDatabase, who: RegistryIdentity): Promise<void> {
  await database.query(
    `insert into gh_worker_registry (worker_id, status, target_worker_id, ec2_instance_id, ec2_ip, metadata)
     values ($1, 'active', $1, $2, $3, '{"asg_name": null}')
     on conflict (worker_id) do update
     set status = 'active', target_worker_id = excluded.target_worker_id, ec2_instance_id = excluded.ec2_instance_id,
       ec2_ip = excluded.ec2_ip, last_heartbeat = now()`,
    [who.workerId, who.instanceId, who.ip],
  );
  const { rowCount } = await database.query('select from gh_worker_registry where worker_id = $1', [who.workerId]);
  if (rowCount !== 1) throw new Error(`registration of ${who.workerId} did not persist`);
}

/** Once at the start: older rows of the same address go offline (ghosthands §2.3). */
export async function retireSameIp(database: WorkerDatabase, who: RegistryIdentity, staleAfterMs: number): Promise<void> {
  await database.query(
    `update gh_worker_registry set status = 'offline'
     where ec2_ip = $2 and worker_id <> $1 and status in ('active', 'draining')
       and last_heartbeat < now() - $3 * interval '1 millisecond'`,
    [who.workerId, who.ip, staleAfterMs],
  );
}

export async function beatRegistry(
  database: WorkerDatabase,
  beat: { workerId: string; currentJobId: string | null; isDraining: boolean },
): Promise<void> {
  await database.query(
    'update gh_worker_registry set last_heartbeat = now(), current_job_id = $2::uuid, status = $3 where worker_id = $1',
    [beat.workerId, beat.currentJobId, beat.isDraining ? 'draining' : 'active'],
  );
}

/** With each heartbeat, other workers: only `active` ones, a draining row is never reaped (ghosthands §2.3). */
export async function reapStaleWorkers(database: WorkerDatabase, workerId: string, staleAfterMs: number): Promise<void> {
  await database.query(
    `update gh_worker_registry set status = 'offline'
     where worker_id <> $1 and status = 'active' and last_heartbeat < now() - $2 * interval '1 millisecond'`,
    [workerId, staleAfterMs],
  );
}

export async function markDraining(database: WorkerDatabase, workerId: string): Promise<void> {
  await database.query(`update gh_worker_registry set status = 'draining' where worker_id = $1`, [workerId]);
}

export async function markOffline(database: WorkerDatabase, workerId: string): Promise<void> {
  await database.query(
    `update gh_worker_registry set status = 'offline', current_job_id = null, last_heartbeat = now() where worker_id = $1`,
    [workerId],
  );
}

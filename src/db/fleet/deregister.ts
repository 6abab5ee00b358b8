import { uuidPattern } from '../../contracts/ids';
import { isInstance } from '../../domain/host-address';
import { machineName } from '../../domain/machine-name';
import type { Queryable } from '../queryable';
import { findInstanceOfSandbox } from './sandboxes';

export interface DeregisteredWorker {
  workerId: string;
  host: string | null;
  instanceId: string | null;
  /** Of its live attempt. */
  jobId: string | null;
}

/** The workers that an id of the product is about: a worker's, a target's, an instance's, or a sandbox's UUID (valet §1.2). */
export const findWorkersById = async (db: Queryable, id: string): Promise<DeregisteredWorker[]> => {
  const isUuid = uuidPattern.test(id);
  const instance = isUuid ? await findInstanceOfSandbox(db, id) : null;
  const { rows } = await db.query<DeregisteredWorker>(
    `select r.worker_id as "workerId", yardmaster.machine_name(r.ec2_ip) as host, yardmaster.machine_name(r.ec2_instance_id) as "instanceId", a.job_id as "jobId"
     from gh_worker_registry r left join yardmaster.attempt a on a.worker_id = r.worker_id and a.ended_at is null
     where $1 in (r.worker_id, r.target_worker_id) or yardmaster.machine_name(r.ec2_instance_id) = any($2::text[]) order by r.worker_id`,
    [id, [machineName(id), instance].filter(isInstance)],
  );
  return rows;
};

export const markOffline = async (db: Queryable, workerIds: readonly string[]): Promise<void> => {
  await db.query(`update gh_worker_registry set status = 'offline' where worker_id = any($1::text[]) and status <> 'offline'`, [workerIds]);
};

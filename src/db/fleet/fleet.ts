import type { JobState } from '../../contracts/job';
import type { Limits } from '../../contracts/limits';
import { isOrphaned } from '../attempts/orphaned-attempts';
import { queryNamed, type Queryable } from '../queryable';
import { withConditions, type WorkerCondition } from './worker-counts';

export interface WorkerJob {
  jobId: string;
  attemptId: string;
  state: JobState;
  /** The job has ended, or means another attempt by now, while this one keeps the worker. */
  isOver: boolean;
}

/** A registered worker, with the public job that it has: a registry row's `current_job_id` is an attempt. */
export interface FleetWorker {
  workerId: string;
  /** As registered, in our spelling; null where the registry holds nothing. */
  host: string | null;
  instanceId: string | null;
  status: string;
  /** Why it takes no job; `idle` takes one. */
  condition: WorkerCondition;
  isBeating: boolean;
  /** Postgres' `infinity` is the number, and null in JSON. */
  registeredAt: Date | number;
  lastHeartbeatAt: Date | number;
  job: WorkerJob | null;
}

/** What the last probe of a host said. */
export interface FleetProbe {
  host: string;
  probedAt: Date;
  isFresh: boolean;
  isApiUp: boolean;
  isWorkerUp: boolean;
  workerId: string | null;
  isDraining: boolean | null;
  activeJobs: number | null;
  processStartedAt: Date | null;
  problem: string | null;
  /** Tag of the image that its API runs, as it said last. */
  imageTag: string | null;
  /** An attempt that has not ended is there. */
  hasAttempt: boolean;
}

export type FleetLimits = Pick<Limits, 'workerHeartbeatFreshMs' | 'probeFreshMs' | 'deafWorkerMs' | 'clockSkewMs'>;

/** What the hosts, or one of them, said last; a host that nobody asked for a day is history, and left out. */
export const listProbes = async (
  db: Queryable,
  limits: Pick<Limits, 'probeFreshMs'>,
  { host = null }: { host?: string | null } = {},
): Promise<FleetProbe[]> => {
  const { rows } = await db.query<FleetProbe>(
    `select host, probed_at as "probedAt", probed_at > now() - $1::int * interval '1 ms' as "isFresh", is_api_up as "isApiUp",
       is_worker_up as "isWorkerUp", worker_id as "workerId", is_draining as "isDraining", active_jobs as "activeJobs",
       process_started_at as "processStartedAt", problem, image_tag as "imageTag",
       host in (select a.host from yardmaster.attempt a where a.ended_at is null and a.host is not null) as "hasAttempt"
     from yardmaster.host_probe where probed_at > now() - interval '1 day' and ($2::text is null or host = $2) order by host`,
    [limits.probeFreshMs, host],
  );
  return rows;
};

/** The registered workers; one that has been offline for a day is history, and left out. */
export const listWorkers = async (db: Queryable, limits: FleetLimits): Promise<FleetWorker[]> =>
  await readWorkers(db, limits, { workerId: null });

export const findWorker = async (db: Queryable, limits: FleetLimits, workerId: string): Promise<FleetWorker | null> =>
  (await readWorkers(db, limits, { workerId }))[0] ?? null;

const readWorkers = async (db: Queryable, limits: FleetLimits, { workerId }: { workerId: string | null }): Promise<FleetWorker[]> => {
  const { rows } = await queryNamed<FleetWorker>(db, {
    name: 'read_workers',
    text: `${withConditions}
     select r.worker_id as "workerId", yardmaster.machine_name(r.ec2_ip) as host, yardmaster.machine_name(r.ec2_instance_id) as "instanceId", r.status, s.condition,
       -- One from the future proves nothing, as in the sweep (src/domain/registry-sweep.ts).
       r.status <> 'offline' and r.last_heartbeat > now() - $1::int * interval '1 ms' and r.last_heartbeat < now() + $5::int * interval '1 ms'
         as "isBeating",
       r.registered_at as "registeredAt", r.last_heartbeat as "lastHeartbeatAt",
       case when a.attempt_id is not null then json_build_object('jobId', j.job_id, 'attemptId', a.attempt_id, 'state', j.state,
         'isOver', ${isOrphaned}) end as job
     from gh_worker_registry r
     join seen s using (worker_id)
     left join yardmaster.attempt a on a.worker_id = r.worker_id and a.ended_at is null
     left join yardmaster.job j on j.job_id = a.job_id
     where case when $4::text is null then r.status <> 'offline' or r.last_heartbeat > now() - interval '1 day' or a.attempt_id is not null
                else r.worker_id = $4 end
     order by host, r.worker_id`,
    values: [limits.workerHeartbeatFreshMs, limits.probeFreshMs, limits.deafWorkerMs, workerId, limits.clockSkewMs],
  });
  return rows;
};

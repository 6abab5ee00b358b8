import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { NewJob } from '../../src/contracts/job';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { assignWaitingJobs, endBackOffs, type Assignment } from '../../src/db/jobs/assign';
import { endAttempt } from '../../src/db/attempts/attempts';
import { openJob } from '../../src/db/jobs/jobs';
import { withTransaction } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import { pickUpJob } from '../../dev/gh/pickup';
import type { WorkerDatabase } from '../../dev/gh/worker-database';
import { makeNewJob, testActor } from './new-job';

/** Rows of a fleet without its processes: for the statements of src/db, which see nothing else. */

export const callbackBaseUrl = 'http://yard.test';

export interface WorkerRows {
  workerId: string;
  host: string;
  status: 'active' | 'draining' | 'offline';
  targetWorkerId: string | null;
  instanceId: string | null;
  heartbeatAgeMs: number;
  /** Null: never probed. */
  probeAgeMs: number | null;
  /** Who answers behind the host's port. */
  probedWorkerId: string;
  isWorkerUp: boolean;
  dispatchMode: string;
  isRunning: boolean;
  isDraining: boolean;
  activeJobs: number;
  processAgeMs: number;
}

let hosts = 0;

/** An idle worker, with one difference visible in the test. */
export const addWorker = async (db: Queryable, more: Partial<WorkerRows> = {}): Promise<WorkerRows> => {
  hosts += 1;
  const workerId = more.workerId ?? `worker-${hosts}`;
  const worker: WorkerRows = {
    workerId,
    host: `10.0.${Math.floor(hosts / 250)}.${hosts % 250}`,
    status: 'active',
    targetWorkerId: null,
    instanceId: `i-${hosts}`,
    heartbeatAgeMs: 1_000,
    probeAgeMs: 1_000,
    probedWorkerId: workerId,
    isWorkerUp: true,
    dispatchMode: 'legacy',
    isRunning: true,
    isDraining: false,
    activeJobs: 0,
    processAgeMs: 3_600_000,
    ...more,
  };
  await db.query(
    `insert into gh_worker_registry (worker_id, status, target_worker_id, ec2_instance_id, ec2_ip, last_heartbeat)
     values ($1, $2, $3, $4, $5, now() - $6::int * interval '1 ms') on conflict (worker_id) do nothing`,
    [workerId, worker.status, worker.targetWorkerId, worker.instanceId, worker.host, worker.heartbeatAgeMs],
  );
  if (worker.probeAgeMs === null) return worker;
  await db.query(
    `insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs,
       process_started_at)
     values ($1, now() - $2::int * interval '1 ms', true, $3, $4, $5, $6, $7, $8, now() - $9::int * interval '1 ms')`,
    [
      worker.host,
      worker.probeAgeMs,
      worker.isWorkerUp,
      worker.probedWorkerId,
      worker.dispatchMode,
      worker.isRunning,
      worker.isDraining,
      worker.activeJobs,
      worker.processAgeMs,
    ],
  );
  return worker;
};

/** That many idle workers at once. */
export const addWorkers = async (db: Queryable, count: number): Promise<void> => {
  await db.query(
    `with made as (
       insert into gh_worker_registry (worker_id, ec2_instance_id, ec2_ip) select 'worker-' || n, 'i-' || n, '10.1.0.' || n from generate_series(1, $1::int) n
       returning worker_id, ec2_ip
     )
     insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs, process_started_at)
     select ec2_ip, now(), true, true, worker_id, 'legacy', true, false, 0, now() - interval '1 hour' from made`,
    [count],
  );
};

/** A job that waits for a worker, accepted that long ago; its workflow has opened it. */
export const addWaitingJob = async (
  pool: Pool,
  { acceptedAgoMs = 0, ...more }: Partial<NewJob> & { acceptedAgoMs?: number } = {},
): Promise<string> => {
  const job = makeNewJob({ callbackUrl: 'http://product.test/callbacks', ...more });
  await withTransaction(pool, async (client) => {
    await acceptJob(client, job, testActor, limits);
    await openJob(client, { jobId: job.jobId, owner: 'run', waitMs: 3_600_000 });
    await client.query(`update yardmaster.job set accepted_at = accepted_at - $2::int * interval '1 ms' where job_id = $1`, [
      job.jobId,
      acceptedAgoMs,
    ]);
  });
  return job.jobId;
};

/** That many of them at once, of as many users. */
export const addWaitingJobs = async (db: Queryable, count: number): Promise<void> => {
  await db.query(
    `with made as (
       insert into yardmaster.job (job_id, state, user_id, request_hash, accepted_by, request_id, timeout_seconds, job_deadline_at, deadline_at)
       select gen_random_uuid(), 'waiting', gen_random_uuid(), 'hash', 'test', 'test', 300, now() + interval '1 day', now() + interval '1 hour'
       from generate_series(1, $1::int)
       returning job_id, user_id
     )
     insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, max_retries, status, worker_affinity)
     select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.test/1', 'Apply', -1, 'pending', 'strict' from made`,
    [count],
  );
};

/** As the assigner does when it looks, whoever has the lease. */
export const assignAll = async (db: Queryable): Promise<Assignment[]> => {
  await endBackOffs(db);
  return (await assignWaitingJobs(db, { callbackBaseUrl, limits })) ?? [];
};

/** An attempt that its worker has, or had, behind the back of the assigning statement. */
export const addAttempt = async (
  db: Queryable,
  { jobId, workerId, state = 'ended', endedAgoMs = 0, endReason = 'completed', hasLeftWaiter = false, tookMs = 1_000 }: AttemptRows,
): Promise<string> => {
  const attemptId = randomUUID();
  await db.query(
    `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, state, claimed_at, ended_at, end_reason, has_left_waiter)
     values ($1, $2, 1, (select count(*) + 100 from yardmaster.attempt where job_id = $2), $3, $4::text, now() - ($5::int + $8::int) * interval '1 ms',
       case when $4::text = 'ended' then now() - $5::int * interval '1 ms' end, $6, $7)`,
    [attemptId, jobId, workerId, state, endedAgoMs, endReason, hasLeftWaiter, tookMs],
  );
  return attemptId;
};

interface AttemptRows {
  jobId: string;
  workerId: string;
  state?: 'assigned' | 'running' | 'ended';
  endedAgoMs?: number;
  endReason?: string;
  hasLeftWaiter?: boolean;
  /** From its claim to its end. */
  tookMs?: number;
}

/** How an attempt ends whose worker did its work. */
export const completed = { endReason: 'completed', submission: 'yes', errorCode: null, hasLeftWaiter: false, isWorkerFree: true } as const;

/** A job ends so, behind the back of its workflow. */
export const completeJob = async (db: Queryable, { jobId, attemptId }: { jobId: string; attemptId: string }): Promise<void> => {
  await db.query(`update yardmaster.job set state = 'succeeded', ended_at = now() where job_id = $1`, [jobId]);
  await endAttempt(db, { attemptId, ...completed });
};

/** GH's own statement, on a connection of ours: what this worker would take now. */
export const claim = async (pool: Pool, workerId: string): Promise<string | null> => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The statement asks for nothing but `query`.
  const claimed = await pickUpJob(pool as unknown as WorkerDatabase, workerId);
  return claimed?.id ?? null;
};

/** Several times faster than truncate, which rewrites each table's files. */
export const emptyTables = async (db: Queryable): Promise<void> => {
  await db.query(
    `delete from yardmaster.job; delete from yardmaster.host_hold; delete from yardmaster.host_probe; delete from yardmaster.received_callback;
     delete from yardmaster.sweep_report; delete from gh_worker_registry; delete from gh_automation_jobs`,
  );
};

import type { NewJob } from '../contracts/job';
import type { Limits } from '../contracts/limits';
import type { Queryable } from './queryable';

/** What came of an accept: `replay` is the same request again, `conflict` another request under a key that is taken. */
export type Acceptance =
  | { kind: 'created'; jobId: string; acceptedAt: Date }
  | { kind: 'replay'; jobId: string; acceptedAt: Date }
  | { kind: 'conflict'; jobId: string };

/**
 * Writes the job row and the record in one statement each, inside the caller's transaction. The job row can never be claimed: `strict` with
 * no target, no callback URL, and every column that decides about claiming is stated, since the default of `status` is claimable (H1).
 */
export const acceptJob = async (db: Queryable, job: NewJob, limits: Limits): Promise<Acceptance> => {
  const { rows } = await db.query<{ accepted_at: Date }>(
    `with accepted as (
       insert into yardmaster.job (job_id, user_id, valet_task_id, idempotency_key, request_hash, accepted_by, request_id, priority,
         wanted_worker, affinity, timeout_seconds, attempts_max, callback_url, job_deadline_at)
       values ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8::int, $9, $10, $11::int, $12::int, $13, now() + $14::int * interval '1 ms')
       on conflict do nothing
       returning job_id, accepted_at
     ), entry as (
       insert into yardmaster.job_transition (job_id, generation, state, reason) select job_id, 1, 'accepted', 'accepted' from accepted
     )
     select accepted_at from accepted`,
    [
      job.jobId,
      job.userId,
      job.valetTaskId,
      job.idempotencyKey,
      job.requestHash,
      job.acceptedBy,
      job.requestId,
      job.priority,
      job.wantedWorker,
      job.affinity,
      job.timeoutSeconds,
      job.maxAttempts,
      job.callbackUrl,
      limits.jobMs,
    ],
  );
  const accepted = rows[0];
  if (accepted === undefined) return await findAccepted(db, job);
  await insertJobRow(db, job);
  return { kind: 'created', jobId: job.jobId, acceptedAt: accepted.accepted_at };
};

const insertJobRow = async (db: Queryable, job: NewJob): Promise<void> => {
  await db.query(
    `insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, input_data, metadata, resume_ref, tags,
       priority, timeout_seconds, max_retries, execution_mode, valet_task_id, idempotency_key, status, worker_affinity, target_worker_id,
       callback_url, last_heartbeat)
     values ($1::uuid, $2::uuid, 'yardmaster', $3, $4, $5, $6::jsonb, $7::jsonb, $8::jsonb, $9::jsonb, $10::int, $11::int, -1, $12, $13, $14,
       'pending', 'strict', null, null, now())`,
    [
      job.jobId,
      job.userId,
      job.jobType,
      job.targetUrl,
      job.taskDescription,
      JSON.stringify(job.inputData),
      JSON.stringify(job.metadata),
      job.resumeRef === null ? null : JSON.stringify(job.resumeRef),
      JSON.stringify(job.tags),
      job.priority,
      job.timeoutSeconds,
      job.executionMode,
      job.valetTaskId,
      job.idempotencyKey,
    ],
  );
};

const findAccepted = async (db: Queryable, job: NewJob): Promise<Acceptance> => {
  const { rows } = await db.query<{ job_id: string; accepted_at: Date; request_hash: string }>(
    `select job_id, accepted_at, request_hash from yardmaster.job
     where case when $1::text is not null then idempotency_key = $1
                else idempotency_key is null and valet_task_id = $2 and ended_at is null end`,
    [job.idempotencyKey, job.valetTaskId],
  );
  const found = rows[0];
  // It ended between our insert and this look: the caller's retry is then a job of its own.
  if (found === undefined) throw new Error('the job that holds this key has just ended, accept again');
  return found.request_hash === job.requestHash
    ? { kind: 'replay', jobId: found.job_id, acceptedAt: found.accepted_at }
    : { kind: 'conflict', jobId: found.job_id };
};

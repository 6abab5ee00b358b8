import type { NewJob } from '../../contracts/job';
import type { Limits } from '../../contracts/limits';
import type { Actor } from '../audit';
import { callAssigner } from './assign';
import { queryNamed, type Queryable } from '../queryable';

/** What came of an accept: `replay` is the same request again, `conflict` another request under a key, or for a task, that is taken. */
export type Acceptance =
  | { kind: 'created'; jobId: string; acceptedAt: Date }
  | { kind: 'replay'; jobId: string; acceptedAt: Date }
  | { kind: 'conflict'; jobId: string; over: 'key' | 'task' };

/**
 * Record, job row, timeline and audit in one statement, so all or none of them. The job row can never be claimed: `strict` with no target, no
 * callback URL, and every column that decides about claiming is stated, since the default of `status` is claimable (ghosthands §4.3).
 * A key is its caller's own; of an adopted row it is everybody's, since nobody knows who had it. GH keeps one row per key whoever's it is, so the second
 * caller's row goes without.
 */
export const acceptJob = async (db: Queryable, job: NewJob, by: Actor, limits: Limits): Promise<Acceptance> => {
  const { rows } = await queryNamed<{ accepted_at: Date }>(db, {
    name: 'accept_job',
    text: acceptStatement,
    values: [
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
      job.attemptsMax,
      job.callbackUrl,
      limits.jobMs,
      job.jobType,
      job.targetUrl,
      job.taskDescription,
      JSON.stringify(job.inputData),
      JSON.stringify(job.metadata),
      job.resumeRef === null ? null : JSON.stringify(job.resumeRef),
      JSON.stringify(job.tags),
      job.executionMode,
      by.actor,
      by.source,
      by.address,
    ],
  });
  const accepted = rows[0];
  if (accepted === undefined) return await findAccepted(db, job);
  return { kind: 'created', jobId: job.jobId, acceptedAt: accepted.accepted_at };
};

const acceptStatement = `
with accepted as (
  insert into yardmaster.job (job_id, user_id, valet_task_id, idempotency_key, request_hash, accepted_by, request_id, priority,
    wanted_worker, affinity, timeout_seconds, attempts_max, callback_url, job_deadline_at)
  select $1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8::int, $9, $10, $11::int, $12::int, $13, now() + $14::int * interval '1 ms'
  where not exists (select from yardmaster.job a where a.idempotency_key = $4 and a.request_hash = 'adopted')
  on conflict do nothing
  returning job_id, accepted_at
), entry as (
  insert into yardmaster.job_transition (job_id, generation, state, reason) select job_id, 1, 'accepted', 'accepted' from accepted
), job_row as (
  insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, input_data, metadata, resume_ref, tags,
    priority, timeout_seconds, max_retries, execution_mode, valet_task_id, idempotency_key, status, worker_affinity, target_worker_id,
    callback_url, last_heartbeat)
  select job_id, $2::uuid, 'yardmaster', $15, $16, $17, $18::jsonb, $19::jsonb, $20::jsonb, $21::jsonb, $8::int, $11::int, -1, $22, $3,
    case when not exists (select from yardmaster.job o where o.idempotency_key = $4 and o.accepted_by <> $6) then $4 end,
    'pending', 'strict', null, null, now()
  from accepted
), act as (
  insert into yardmaster.audit (actor, source, address, act, subject_kind, subject) select $23, $24, $25, 'submit', 'job', job_id::text from accepted
)
select accepted_at, ${callAssigner} from accepted`;

/** The job of the key; without one, or with a new one, that of the task: a task is one application, under whatever keys and by whomever it is submitted. */
const findAccepted = async (db: Queryable, job: NewJob): Promise<Acceptance> => {
  const ofKey = await findOfKey(db, job);
  const found = ofKey ?? (await findOfTask(db, job.valetTaskId));
  // It ended between our insert and this read: the caller's retry is then a job of its own.
  if (found === null) throw new Error('the job that holds this key has just ended, accept again');
  return found.request_hash === job.requestHash
    ? { kind: 'replay', jobId: found.job_id, acceptedAt: found.accepted_at }
    : { kind: 'conflict', jobId: found.job_id, over: ofKey === null ? 'task' : 'key' };
};

interface AcceptedRow {
  job_id: string;
  accepted_at: Date;
  request_hash: string;
}

const findOfKey = async (db: Queryable, { idempotencyKey, acceptedBy }: NewJob): Promise<AcceptedRow | null> => {
  if (idempotencyKey === null) return null;
  const { rows } = await db.query<AcceptedRow>(
    `select job_id, accepted_at, request_hash from yardmaster.job
     where idempotency_key = $1 and (accepted_by = $2 or request_hash = 'adopted')`,
    [idempotencyKey, acceptedBy],
  );
  return rows[0] ?? null;
};

/** The job that keeps the task from being applied to again: it lives, has submitted, or may have. */
const findOfTask = async (db: Queryable, taskId: string | null): Promise<AcceptedRow | null> => {
  if (taskId === null) return null;
  const { rows } = await queryNamed<AcceptedRow>(db, {
    name: 'find_job_of_task',
    text: `
     select job_id, accepted_at, request_hash from yardmaster.job
     where valet_task_id = $1 and has_task and (ended_at is null or state = 'succeeded' or submission <> 'no')`,
    values: [taskId],
  });
  return rows[0] ?? null;
};

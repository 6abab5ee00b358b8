import type { Limits } from '../contracts/limits';
import { queryNamed, type Queryable } from './queryable';

/** A job that this transaction gave to a worker. */
export interface Assignment {
  jobId: string;
  attemptId: string;
  workerId: string;
  host: string;
}

/**
 * Pairs idle workers with waiting jobs and makes their attempt rows, inside the caller's transaction.
 *
 * Lock and statement are separate, so that each run sees what the last one committed; with SKIP LOCKED instead, races leave jobs waiting beside
 * idle workers. Callers take this lock before they lock any waiting job, never after.
 */
export const assignWaitingJobs = async (
  db: Queryable,
  { callbackBaseUrl, limits }: { callbackBaseUrl: string; limits: Limits },
): Promise<Assignment[]> => {
  const [, { rows }] = await Promise.all([
    lockAssigning(db),
    queryNamed<{ job_id: string; attempt_id: string; worker_id: string; host: string }>(db, {
      name: 'assign_jobs',
      text: assignStatement,
      values: [limits.workerHeartbeatFreshMs, limits.probeFreshMs, limits.deafWorkerMs, limits.claimMs, callbackBaseUrl],
    }),
  ]);
  return rows.map((row) => ({ jobId: row.job_id, attemptId: row.attempt_id, workerId: row.worker_id, host: row.host }));
};

/** Until the end of the transaction nothing is assigned: what commits with it, the next assigning statement sees. */
export const lockAssigning = async (db: Queryable): Promise<void> => {
  await db.query(`select pg_advisory_xact_lock(hashtext('yardmaster.assign'))`);
};

/** Of an attempt `a` and the probe `p` of its worker's host: is what it left behind still in that process? */
export const waiterIsLeft = `(a.has_left_waiter and coalesce(a.claimed_at, a.assigned_at) > p.process_started_at)`;
export const isDeaf = `(a.end_reason = 'not_claimed' and a.ended_at > p.process_started_at and a.ended_at > now() - $3::int * interval '1 ms')`;

/** Idle means all of design §4.4: fresh, legacy, running, not draining, without a job, not held, no twin, not tainted, not deaf. */
export const idleWorkers = `
  select r.worker_id, r.target_worker_id, yardmaster.machine_name(r.ec2_instance_id) as instance_id, p.host, p.freed_at
  from gh_worker_registry r
  join yardmaster.host_probe p on p.host = yardmaster.machine_name(r.ec2_ip) and p.worker_id = r.worker_id
  where r.status = 'active'
    and r.last_heartbeat > now() - $1::int * interval '1 ms'
    and p.probed_at > now() - $2::int * interval '1 ms'
    and p.is_worker_up and p.dispatch_mode = 'legacy' and p.is_running and not p.is_draining and p.active_jobs = 0
    and not exists (select from yardmaster.host_hold h
      where h.host in ('*', p.host, yardmaster.machine_name(r.ec2_instance_id)) and (h.expires_at is null or h.expires_at > now()))
    and not exists (select from yardmaster.attempt a where a.worker_id = r.worker_id and a.ended_at is null)
    -- A cancel may still recycle it, and a recycle hits whatever runs there then: nothing is aimed at it before the cancel has ended.
    and not exists (select from yardmaster.command c
      where c.kind = 'cancel' and c.ended_at is null and c.route ->> 'workerId' = r.worker_id)
    -- Twins: both processes behind one id would claim (ghosthands §2.6).
    and not exists (select from yardmaster.host_probe t
      where t.worker_id = r.worker_id and t.host <> p.host and t.is_worker_up and t.probed_at > now() - $2::int * interval '1 ms')
    -- A ghost waiter fills the pool of its process and hangs the next job; a worker that did not claim is deaf. A restart cures both.
    -- A cancel closes the attempt when the next process is there already, so a waiter belongs to the process that claimed.
    and not exists (select from yardmaster.attempt a where a.worker_id = r.worker_id and (${waiterIsLeft} or ${isDeaf}))`;

/**
 * Every step is materialized: Postgres expects one waiting job beside a million ended ones, and would run a step again for each row of the next
 * (2.4 s for one worker and 1,000 waiting jobs). Nor does it join live jobs with live jobs: what is counted of them is counted in one pass.
 */
const assignStatement = `
with idle as materialized (${idleWorkers}),
taken as materialized (select job_id from yardmaster.attempt where ended_at is null and exists (select from idle)),
live as materialized (
  select job_id, user_id, state, wanted_worker, affinity, priority, accepted_at, not_before, cancel_requested_at,
    count(*) filter (where state <> 'waiting') over (partition by user_id) as busy
  from yardmaster.job where ended_at is null and state in ('waiting', 'assigned', 'running', 'waiting_human') and exists (select from idle)
),
ranked as (
  -- Within this pairing each further job of a user counts like a running one, so that one user cannot take all workers at once.
  select j.job_id, j.wanted_worker, j.affinity, j.priority, j.accepted_at,
    j.busy + row_number() over (partition by j.user_id order by j.priority, j.accepted_at, j.job_id) as share
  from live j
  where j.state = 'waiting' and j.cancel_requested_at is null and (j.not_before is null or j.not_before <= now())
    and j.job_id not in (select job_id from taken)
    and exists (select from gh_automation_jobs g where g.id = j.job_id)
),
queue as materialized (select *, yardmaster.machine_name(wanted_worker) as wanted_machine, row_number() over (order by priority, share, accepted_at, job_id) as turn from ranked),
pinned as materialized (
  select distinct on (job_id) job_id, worker_id from (
    select distinct on (i.worker_id) q.job_id, i.worker_id, q.turn
    from queue q join idle i on q.wanted_worker in (i.worker_id, i.target_worker_id) or q.wanted_machine = i.instance_id
    where q.affinity <> 'any'
    order by i.worker_id, q.turn
  ) best order by job_id, turn
),
spare as materialized (
  select worker_id, row_number() over (order by freed_at nulls first, worker_id) as n
  from idle where worker_id not in (select worker_id from pinned)
),
unpinned as materialized (
  select job_id, row_number() over (order by turn) as n
  from queue where (affinity <> 'strict' or wanted_worker is null) and job_id not in (select job_id from pinned)
),
pair as materialized (
  select job_id, worker_id from pinned
  union all
  select u.job_id, s.worker_id from unpinned u join spare s using (n)
),
assigned as (
  update yardmaster.job j set
    state = 'assigned', reason = 'assigned', detail = '', state_at = now(), touched_at = now(), attempts = j.attempts + 1,
    attempt_id = gen_random_uuid(), not_before = null,
    deadline_at = least(now() + $4::int * interval '1 ms', j.job_deadline_at)
  from pair where j.job_id = pair.job_id and j.state = 'waiting' and j.cancel_requested_at is null
  returning j.job_id, j.generation, j.attempts, j.attempt_id, pair.worker_id
),
attempt as (
  insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, instance_id)
  select a.attempt_id, a.job_id, a.generation, a.attempts, a.worker_id, i.host, i.instance_id
  from assigned a join idle i using (worker_id)
),
attempt_row as (
  -- Personal data stays in SQL. max_retries -1 survives the fallback to 3 in GH's queue mode; keys and task id stay with the job row.
  insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, input_data, metadata, resume_ref, tags,
    priority, timeout_seconds, max_retries, execution_mode, status, worker_affinity, target_worker_id, callback_url)
  select a.attempt_id, g.user_id, 'yardmaster', g.job_type, g.target_url, g.task_description, g.input_data,
    coalesce(g.metadata, '{}') || jsonb_build_object('yardmaster',
      jsonb_build_object('jobId', a.job_id, 'generation', a.generation, 'attemptNumber', a.attempts)),
    g.resume_ref, g.tags, g.priority, g.timeout_seconds, -1, g.execution_mode, 'pending', 'strict', a.worker_id,
    $5::text || '/v1/callbacks/ghosthands/' || a.attempt_id
  from assigned a join gh_automation_jobs g on g.id = a.job_id
  returning id, job_type, priority, user_id
),
entry as (
  insert into yardmaster.job_transition (job_id, generation, state, reason, attempt_id, worker_id)
  select job_id, generation, 'assigned', 'assigned', attempt_id, worker_id from assigned
)
select a.job_id, a.attempt_id, a.worker_id, i.host,
  -- Where GH's own trigger notifies too, Postgres folds the two equal messages of one transaction into one.
  pg_notify('gh_job_created', json_build_object('id', r.id, 'job_type', r.job_type, 'priority', r.priority, 'user_id', r.user_id)::text)
from assigned a join attempt_row r on r.id = a.attempt_id join idle i using (worker_id)`;

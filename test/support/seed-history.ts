import type { Pool } from 'pg';

/**
 * A fleet with a past: many ended jobs with everything that belongs to them, set-based and without the triggers and checks of the tables, and
 * beside them the few that live.
 */
export const seedHistory = async (
  pool: Pool,
  { endedJobs, liveJobs, workers }: { endedJobs: number; liveJobs: number; workers: number },
): Promise<void> => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`set local session_replication_role = replica`);
    await client.query(`set local synchronous_commit = off`);
    for (const statement of statements) await client.query(statement(endedJobs, liveJobs, workers));
    await client.query('commit');
    await client.query('analyze');
  } finally {
    client.release();
  }
};

type Statement = (endedJobs: number, liveJobs: number, workers: number) => string;

const uuidOf = (kind: string, n: string): string => `md5('${kind}' || ${n})::uuid`;

const statements: readonly Statement[] = [
  (_ended, _live, workers) => `
    insert into gh_worker_registry (worker_id, status, ec2_instance_id, ec2_ip, last_heartbeat)
    select 'worker-' || n, 'active', 'i-' || n, '10.0.' || n / 250 || '.' || n % 250, now() from generate_series(1, ${workers}) n`,
  () => `
    insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs, process_started_at)
    select ec2_ip, now(), true, true, worker_id, 'legacy', true, false, 0, now() - interval '1 hour' from gh_worker_registry`,
  (ended) => `
    insert into yardmaster.job (job_id, state, reason, state_at, user_id, valet_task_id, idempotency_key, request_hash, accepted_by, request_id,
      accepted_at, timeout_seconds, attempts, attempt_id, job_deadline_at, submission, callback_url, callback_seq, ended_at, touched_at)
    select ${uuidOf('job', 'n')}, case when n % 50 = 0 then 'cancelled' when n % 10 = 0 then 'failed' else 'succeeded' end, 'completed', at + interval '10 min',
      ${uuidOf('user', 'n % 1000')}, 'task-' || n, case when n % 2 = 0 then 'key-' || n end, 'hash', 'test', 'request-' || n, at, 300, 1,
      ${uuidOf('attempt', 'n')}, at + interval '1 day', 'yes', 'https://product.test/callbacks', 2, at + interval '10 min', at + interval '10 min'
    from (select n, now() - interval '29 days' * n / ${ended} - interval '30 min' as at from generate_series(1, ${ended}) n) ended`,
  (_ended, live, workers) => `
    insert into yardmaster.job (job_id, state, state_at, user_id, valet_task_id, request_hash, accepted_by, request_id, timeout_seconds, attempts, attempt_id,
      deadline_at, job_deadline_at, human_kind, callback_url, callback_seq)
    select ${uuidOf('job', "('live-' || n)")}, state, now(), ${uuidOf('user', 'n % 1000')}, 'live-' || n, 'hash', 'test', 'request-live-' || n, 300, 1,
      case when state in ('waiting', 'accepted') then null else ${uuidOf('attempt', "('live-' || n)")} end, now() + interval '1 hour', now() + interval '1 day',
      case when state = 'waiting_human' then 'blocker' end, 'https://product.test/callbacks', 1
    from (select n, case when n > ${workers} then 'waiting' else (array['running', 'running', 'assigned', 'waiting_human', 'uncertain'])[n % 5 + 1] end as state
      from generate_series(1, ${live}) n) live`,
  () => `
    insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, state, end_reason, submission, assigned_at, claimed_at, ended_at, erased_at)
    select attempt_id, job_id, 1, 1, 'worker-' || 1 + abs(hashtext(job_id::text)) % 100, '10.0.0.1', 'ended', 'completed', 'yes', accepted_at, accepted_at, ended_at, ended_at
    from yardmaster.job where ended_at is not null`,
  () => `
    insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, state, claimed_at)
    select attempt_id, job_id, 1, 1, 'worker-' || row_number() over (), '10.0.0.1', 'running', now() from yardmaster.job where attempt_id is not null and ended_at is null`,
  () => `
    insert into yardmaster.job_transition (job_id, generation, at, state, reason)
    select job_id, 1, accepted_at + s.n * interval '1 min', s.state, 'seeded' from yardmaster.job, (values (1, 'accepted'), (2, 'running')) s (n, state)`,
  () => `
    insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, settled_at, settled_as)
    select job_id, 1, s.seq, s.word, s.seq = 2, '{}', accepted_at, accepted_at, ended_at, case when ended_at is not null then 'delivered' end
    from yardmaster.job, (values (1, 'running'), (2, 'completed')) s (seq, word) where ended_at is not null or s.seq = 1`,
  () => `
    insert into yardmaster.received_callback (attempt_id, received_at, word, effect)
    select attempt_id, accepted_at, 'completed', 'wakes_job' from yardmaster.job where attempt_id is not null`,
  () => `
    insert into yardmaster.command (job_id, generation, kind, actor, source, ended_at, requested_at, touched_at, outcome)
    select job_id, 1, 'cancel', 'test', 'api', ended_at, accepted_at, accepted_at, 'cancelled' from yardmaster.job where state = 'cancelled'`,
  () => `
    insert into yardmaster.audit (at, actor, source, act, subject_kind, subject)
    select accepted_at, 'product', 'api', 'job_accepted', 'job', job_id::text from yardmaster.job order by accepted_at`,
  () => `
    insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, status, worker_affinity, target_worker_id, last_heartbeat)
    select id, user_id, 'yardmaster', 'apply', 'https://jobs.test/1', 'Apply', status, 'strict', null, now() from (
      select job_id as id, user_id, case state when 'succeeded' then 'completed' when 'failed' then 'failed' when 'cancelled' then 'cancelled' else 'pending' end as status
      from yardmaster.job
      union all
      select a.attempt_id, j.user_id, case when a.ended_at is null then 'running' else 'completed' end from yardmaster.attempt a join yardmaster.job j using (job_id)
    ) rows`,
  () => `
    insert into gh_job_events (job_id, event_type, created_at)
    select attempt_id, s.type, assigned_at from yardmaster.attempt, (values ('job_started'), ('job_completed')) s (type)`,
];

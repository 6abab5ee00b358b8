import { type ClaimedJob, claimedJobSchema } from './claimed-job';
import type { WorkerDatabase } from './worker-database';

/**
 * GH's claim (ghosthands §4.1): `queued` rows are taken whatever their worker_id says, so two idle workers can claim one row unless affinity
 * forbids it; the target is compared with the worker's own id, not with the registry.
 */
const pickupSql = `
  with due as (
    select id from gh_automation_jobs
    where status in ('pending', 'queued')
      and (scheduled_at is null or scheduled_at <= now())
      and (
        worker_affinity = 'any'
        or (worker_affinity = 'preferred' and (target_worker_id is null or target_worker_id = $1))
        or (worker_affinity = 'strict' and target_worker_id = $1)
      )
    order by (case when target_worker_id = $1 then 0 else 1 end), priority, created_at
    limit 1
    for update skip locked
  )
  update gh_automation_jobs as job
  set status = 'queued', worker_id = $1, last_heartbeat = now(), updated_at = now()
  from due
  where job.id = due.id
  returning job.*`;

export async function pickUpJob(database: WorkerDatabase, workerId: string): Promise<ClaimedJob | null> {
  const { rows } = await database.query(pickupSql, [workerId]);
  return rows[0] ? claimedJobSchema.parse(rows[0]) : null;
}

/** Gives every row of the worker back, also the one that its executor still works on (ghosthands §2.2). */
export async function releaseClaimedJobs(database: WorkerDatabase, workerId: string): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>(
    `update gh_automation_jobs
     set status = 'pending', worker_id = null,
       error_details = jsonb_build_object('released_by', $1::text, 'reason', 'worker_shutdown')
     where worker_id = $1 and status in ('queued', 'running')
     returning id`,
    [workerId],
  );
  return rows.map((row) => row.id);
}

export interface StuckJob {
  id: string;
  callback_url: string | null;
  valet_task_id: string | null;
  needsHuman: boolean;
}

/**
 * At the start of a poller only, and over the rows of all workers (ghosthands §2.5): any completed step makes the row `completed`; else main
 * makes it `pending` again, and staging `needs_human`, there also with a heartbeat that never was.
 */
export async function recoverStuckJobs(
  database: WorkerDatabase,
  options: { workerId: string; variant: 'main' | 'staging'; stuckAfterMs: number },
): Promise<StuckJob[]> {
  const isStaging = options.variant === 'staging';
  const { rows } = await database.query<Omit<StuckJob, 'needsHuman'> & { status: string }>(
    `with stuck as (
       select job.id, exists (
         select from gh_job_events as event
         where event.job_id = job.id and event.event_type in ('step_completed', 'cookbook_step_completed', 'form_submitted')
       ) as has_progress
       from gh_automation_jobs as job
       where job.status in ('queued', 'running')
         and (job.last_heartbeat < now() - $2 * interval '1 millisecond' or ($3 and job.last_heartbeat is null))
       for update skip locked
     )
     update gh_automation_jobs as job
     set status = case when has_progress then 'completed' when $3 then 'needs_human' else 'pending' end,
       completed_at = case when has_progress then now() else job.completed_at end,
       interaction_type = case when $3 and not has_progress then 'stuck_job_timeout' else job.interaction_type end,
       worker_id = null, execution_attempt_id = null,
       error_details = jsonb_build_object('recovered_by', $1::text, 'reason', 'stuck_job_recovery')
     from stuck
     where job.id = stuck.id
     returning job.id, job.status, job.callback_url, job.valet_task_id`,
    [options.workerId, options.stuckAfterMs, isStaging],
  );
  return rows.map(({ status, ...row }) => ({ ...row, needsHuman: status === 'needs_human' }));
}

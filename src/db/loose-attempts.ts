import type { Limits } from '../contracts/limits';
import type { Queryable } from './queryable';

/**
 * Ends attempts that outlived their job's interest (a resolved review, an earlier generation) once they are over themselves: their row is
 * terminal, or another process now answers for their worker. Until then they keep their worker, which blocks on their browser.
 */
export const endLooseAttempts = async (
  db: Queryable,
  limits: Pick<Limits, 'processStartJitterMs'>,
): Promise<{ attemptId: string; jobId: string }[]> => {
  const { rows } = await db.query<{ attemptId: string; jobId: string }>(
    `update yardmaster.attempt a set state = 'ended', ended_at = now(), end_reason = case when g.status in ('completed', 'failed') then g.status else 'lost' end
     from yardmaster.job j, gh_automation_jobs g
     where a.ended_at is null and j.job_id = a.job_id and g.id = a.attempt_id
       and (j.ended_at is not null or j.attempt_id is distinct from a.attempt_id)
       and (g.status in ('completed', 'failed') or exists (
         select from yardmaster.host_probe p where p.worker_id = a.worker_id and p.host = a.host
           and p.process_started_at > coalesce(a.claimed_at, a.assigned_at) + $1::int * interval '1 ms'))
     returning a.attempt_id as "attemptId", a.job_id as "jobId"`,
    [limits.processStartJitterMs],
  );
  return rows;
};

/** Ended jobs that still have a copy of the personal data in an ended attempt row. */
export const listUnerasedJobs = async (db: Queryable, { rows: limit }: { rows: number }): Promise<string[]> => {
  const { rows } = await db.query<{ job_id: string }>(
    `select distinct a.job_id from yardmaster.attempt a join yardmaster.job j using (job_id)
     where a.erased_at is null and a.ended_at is not null and j.ended_at is not null limit $1::int`,
    [limit],
  );
  return rows.map(({ job_id: jobId }) => jobId);
};

/** A ghost waiter is gone when its wait has its end in the events, 300 s after it began (ghosthands §8.2); its worker is then idle again. */
export const clearLeftWaiters = async (db: Queryable): Promise<number> => {
  const { rowCount } = await db.query(
    `update yardmaster.attempt a set has_left_waiter = false
     where a.has_left_waiter and (
       select count(*) filter (where event_type = 'hitl_paused') <= count(*) filter (where event_type in ('hitl_resumed', 'hitl_timeout'))
       from gh_job_events e where e.job_id = a.attempt_id)`,
  );
  return rowCount ?? 0;
};

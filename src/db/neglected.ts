import type { Limits } from '../contracts/limits';
import type { Queryable } from './queryable';

/** A live job whose rows say something that its workflow has not acted upon, and what. */
export interface NeglectedJob {
  jobId: string;
  finding:
    | 'accepted_without_workflow'
    | 'missed_claim'
    | 'missed_callback'
    | 'silent_attempt'
    | 'worker_changed'
    | 'missed_deadline'
    | 'untouched';
}

/**
 * What lost hints leave behind. Reads live jobs only, so its cost does not grow with ended ones. A job is named once, with the finding that
 * needs the least patience.
 */
export const listNeglectedJobs = async (db: Queryable, limits: Limits): Promise<NeglectedJob[]> => {
  const { rows } = await db.query<NeglectedJob>(
    `select * from (
       select j.job_id as "jobId", case
         when j.state = 'accepted' and j.state_at < now() - $1::int * interval '1 ms' then 'accepted_without_workflow'
         when j.state = 'assigned' and g.status <> 'pending' and j.touched_at < now() - interval '2 s' then 'missed_claim'
         when j.state = 'running' and (g.status not in ('queued', 'running') or e.is_review) then 'missed_callback'
         when j.state = 'waiting_human' and j.human_kind = 'blocker' and g.status not in ('paused', 'needs_human') then 'missed_callback'
         when j.state = 'waiting_human' and j.human_kind = 'review' and g.status not in ('awaiting_review', 'running') then 'missed_callback'
         when j.state = 'uncertain' and a.ended_at is null and g.status in ('completed', 'failed') then 'missed_callback'
         -- A refused port or another start time is no proof yet: the workflow examines the owner itself.
         when a.ended_at is null and (j.state in ('running', 'waiting_human') or (j.state = 'uncertain' and j.touched_at < now() - interval '1 min'))
           and (p.process_started_at > a.claimed_at + $6::int * interval '1 ms'
             or (p.probed_at > a.claimed_at and not p.is_worker_up and p.problem = 'refused')) then 'worker_changed'
         when a.ended_at is null and j.state in ('running', 'waiting_human') and not j.is_owner_in_doubt
           and (g.id is null or g.last_heartbeat < now() - $2::int * interval '1 ms') then 'silent_attempt'
         when j.deadline_at < now() - $3::int * interval '1 ms' then 'missed_deadline'
         when j.touched_at < now() - $4::int * interval '1 ms' then 'untouched'
       end as finding
       from yardmaster.job j
       left join yardmaster.attempt a on a.attempt_id = j.attempt_id
       left join gh_automation_jobs g on g.id = j.attempt_id
       left join yardmaster.host_probe p on p.host = a.host and p.worker_id = a.worker_id
       left join lateral (
         select true as is_review from gh_job_events where j.state = 'running' and job_id = j.attempt_id and event_type in ('awaiting_user_review', 'awaiting_review') limit 1
       ) e on true
       where j.ended_at is null
     ) looked where finding is not null
     order by finding = 'untouched', "jobId" limit $5::int`,
    [
      limits.unstartedMs,
      limits.attemptSilentMs,
      limits.sweepEveryMs,
      limits.untouchedMs,
      limits.sweepBatchRows,
      limits.processStartJitterMs,
    ],
  );
  return rows;
};

/** Callbacks of ended jobs that are due and that nobody delivers: their workflow is gone. */
export const listNeglectedCallbacks = async (
  db: Queryable,
  { afterMs, rows: limit }: { afterMs: number; rows: number },
): Promise<{ jobId: string; generation: number }[]> => {
  const { rows } = await db.query<{ jobId: string; generation: number }>(
    `select c.job_id as "jobId", max(c.generation) as generation
     from yardmaster.callback c join yardmaster.job j using (job_id)
     where c.settled_at is null and c.next_try_at < now() - $1::int * interval '1 ms' and (c.leased_until is null or c.leased_until < now())
       and (j.ended_at is not null or c.generation < j.generation)
     group by c.job_id order by min(c.next_try_at) limit $2::int`,
    [afterMs, limit],
  );
  return rows;
};

import type { Limits } from '../../contracts/limits';
import { queuedStates } from '../../domain/job-state';
import type { Queryable } from '../queryable';
import { inWords } from '../words';

/** A live job whose rows say something that its workflow has not acted upon, and what. */
export interface StalledJob {
  jobId: string;
  finding: 'accepted_without_workflow' | 'missed_claim' | 'missed_callback' | 'late_proof' | 'missed_deadline' | 'untouched';
}

/**
 * What lost hints leave behind; what its worker looks like is another question (src/domain/attempt-sweep.ts). Reads live jobs only, so its cost does not grow with ended ones. A job is named once, with the finding that
 * needs the least patience; what only waits in the queue comes last, as it does there.
 */
export const listStalledJobs = async (db: Queryable, limits: Limits): Promise<StalledJob[]> => {
  const { rows } = await db.query<StalledJob>(
    `select "jobId", finding from (
       select j.job_id as "jobId", j.state, j.accepted_at, case
         when (j.state = 'accepted' and j.state_at < now() - $1::int * interval '1 ms')
           or (j.owner is null and j.accepted_at < now() - $1::int * interval '1 ms') then 'accepted_without_workflow'
         when j.state = 'assigned' and g.status <> 'pending' and j.touched_at < now() - interval '2 s' then 'missed_claim'
         when j.state = 'running' and (g.status not in ('queued', 'running') or e.is_review) then 'missed_callback'
         when j.state = 'waiting_human' and j.human_kind = 'blocker' and g.status not in ('paused', 'needs_human') then 'missed_callback'
         when j.state = 'waiting_human' and j.human_kind = 'review' and g.status not in ('awaiting_review', 'running') then 'missed_callback'
         when j.state = 'uncertain' and r.has_news then 'late_proof'
         when j.deadline_at < now() - $2::int * interval '1 ms' then 'missed_deadline'
         when j.touched_at < now() - case when j.state in ('waiting', 'waiting_human', 'uncertain') then $4::int else $3::int end * interval '1 ms'
           then 'untouched'
       end as finding
       from yardmaster.job j
       left join yardmaster.attempt a on a.attempt_id = j.attempt_id
       left join gh_automation_jobs g on g.id = j.attempt_id
       left join lateral (
         select true as is_review from gh_job_events where j.state = 'running' and job_id = j.attempt_id and event_type in ('awaiting_user_review', 'awaiting_review') limit 1
       ) e on true
       left join lateral (
         -- What may end it by itself. A row that says submitted does; any other is looked at more and more rarely, since it may prove nothing, and a
         -- callback once.
         select (g.status = 'completed' and g.result_data @> '{"submitted": true}')
           or ((a.ended_at is null or a.end_reason <> g.status) and j.touched_at < now() - greatest(interval '2 s', (now() - j.state_at) / 10)
             and (g.status = 'failed' or (g.status = 'completed' and g.result_data is not null)))
           or exists (select from yardmaster.received_callback c
             where c.attempt_id = a.attempt_id and c.received_at > j.touched_at and c.word in ('completed', 'failed')) as has_news
         where j.state = 'uncertain'
       ) r on true
       where j.ended_at is null
     ) judged where finding is not null
     order by finding = 'untouched', finding = 'accepted_without_workflow' and state ${inWords(queuedStates)}, accepted_at, "jobId" limit $5::int`,
    [limits.unstartedMs, limits.sweepEveryMs, limits.untouchedMs, limits.restRecheckMs, limits.sweepBatchRows],
  );
  return rows;
};

/** Callbacks of ended jobs that are due and that nobody delivers: their workflow is gone. */
export const listStalledCallbacks = async (
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

/** Live jobs whose public row was deleted: they are never assigned again, and end by their deadline. */
export const listJobsWithoutRow = async (db: Queryable, { rows: limit }: { rows: number }): Promise<string[]> => {
  const { rows } = await db.query<{ job_id: string }>(
    `select job_id from yardmaster.job j where ended_at is null and not exists (select from gh_automation_jobs g where g.id = j.job_id) limit $1::int`,
    [limit],
  );
  return rows.map(({ job_id: jobId }) => jobId);
};

/** Of these jobs, the ones that we have no record of. */
export const listUnknownJobs = async (db: Queryable, jobIds: string[]): Promise<string[]> => {
  const { rows } = await db.query<{ job_id: string }>(
    `select job_id from unnest($1::uuid[]) as job_id where not exists (select from yardmaster.job j where j.job_id = job_id.job_id)`,
    [jobIds],
  );
  return rows.map(({ job_id: jobId }) => jobId);
};

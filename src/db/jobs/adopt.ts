import type { Limits } from '../../contracts/limits';
import type { AdoptableRow, Adoption } from '../../domain/adoption';
import { callAssigner } from './assign';
import { queryNamed, type Queryable } from '../queryable';

/**
 * Which rows may be taken over (design §6.2): claimable, never claimed, not ours, and not for VALET's desktop fleet, whose rows say so or name a target that
 * the registry does not know. What GH has put back after a try is not new: nobody knows how far that try came.
 */
const isAdoptable = `g.status in ('pending', 'queued') and g.worker_id is null and g.started_at is null and g.retry_count = 0
  and g.created_by <> 'yardmaster' and (g.scheduled_at is null or g.scheduled_at <= now())
  and not coalesce(g.metadata ? 'dispatch_target', false)
  and not coalesce(g.error_details ?| '{released_by,recovered_by,reason}'::text[], false)
  and (g.target_worker_id is null or exists (select from gh_worker_registry r where r.worker_id = g.target_worker_id))
  and not exists (select from yardmaster.job j where j.job_id = g.id)
  and not exists (select from yardmaster.attempt a where a.attempt_id = g.id)`;

/** The newest first: what cannot be taken over stays, and must not keep others from being seen. */
export const listAdoptableRows = async (db: Queryable, { rows: limit }: { rows: number }): Promise<AdoptableRow[]> => {
  const { rows } = await queryNamed<AdoptableRow>(db, {
    name: 'list_adoptable_rows',
    text: `
     select g.id as "jobId", g.job_type as "jobType", g.target_url as "targetUrl", g.timeout_seconds as "timeoutSeconds", g.priority,
       jsonb_typeof(g.input_data) as "inputKind", coalesce(g.callback_url, g.metadata ->> 'callback_url') as "callbackUrl"
     from gh_automation_jobs g where ${isAdoptable}
     order by g.created_at desc limit $1::int`,
    values: [limit],
  });
  return rows;
};

/** A worker in queue mode gets its rows from pg-boss, whose message we cannot take back: it would run what we adopt a second time (ghosthands §4.2). */
export const hasQueueModeWorker = async (db: Queryable, { probeFreshMs }: Pick<Limits, 'probeFreshMs'>): Promise<boolean> => {
  const { rows } = await db.query<{ has: boolean }>(
    `select exists (select from yardmaster.host_probe
       where is_worker_up and dispatch_mode <> 'legacy' and probed_at > now() - $1::int * interval '1 ms') as has`,
    [probeFreshMs],
  );
  return rows[0]?.has === true;
};

/**
 * Makes job rows of them: one statement writes our record and the UPDATE that no worker can claim past. A row that a worker is claiming at this moment is
 * locked by it, and left to it. Answers which are ours now; a task or key that another job of ours has is not among them.
 */
export const adoptRows = async (db: Queryable, adoptions: readonly Adoption[], { jobMs }: Pick<Limits, 'jobMs'>): Promise<string[]> => {
  const { rows } = await queryNamed<{ job_id: string }>(db, {
    name: 'adopt_rows',
    text: `
     with wanted as materialized (
       select g.id, g.user_id, g.created_by, g.valet_task_id, g.idempotency_key, g.priority, g.target_worker_id, g.worker_affinity,
         g.timeout_seconds, g.max_retries, a."callbackUrl" as callback_url
       from gh_automation_jobs g join jsonb_to_recordset($1::jsonb) as a("jobId" uuid, "callbackUrl" text) on a."jobId" = g.id
       where ${isAdoptable} for update of g skip locked
     ), adopted as (
       insert into yardmaster.job (job_id, reason, user_id, valet_task_id, idempotency_key, request_hash, accepted_by, request_id, priority,
         wanted_worker, affinity, timeout_seconds, attempts_max, callback_url, job_deadline_at)
       select id, 'adopted', user_id, valet_task_id, idempotency_key, 'adopted', created_by, 'adopted', priority, target_worker_id,
         case when target_worker_id is null then 'any' else coalesce(worker_affinity, 'any') end, timeout_seconds,
         least(greatest(max_retries, 0) + 1, 10), callback_url, now() + $2::bigint * interval '1 ms'
       from wanted on conflict do nothing
       returning job_id
     ), entry as (
       insert into yardmaster.job_transition (job_id, generation, state, reason) select job_id, 1, 'accepted', 'adopted' from adopted
     ), act as (
       insert into yardmaster.audit (actor, source, act, subject_kind, subject, detail)
       select w.created_by, 'sweep', 'adopt', 'job', w.id::text, '{}' from wanted w join adopted on job_id = w.id
     )
     update gh_automation_jobs g set status = 'pending', worker_affinity = 'strict', target_worker_id = null, callback_url = null, max_retries = -1,
       last_heartbeat = now(), metadata = coalesce(g.metadata, '{}') - '{callback_url,yardmaster}'::text[]
     from adopted where g.id = adopted.job_id
     returning g.id as job_id, ${callAssigner}`,
    values: [JSON.stringify(adoptions), jobMs],
  });
  return rows.map(({ job_id: jobId }) => jobId);
};

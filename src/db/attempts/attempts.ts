import { attemptSnapshotSchema, handlerEventTypes, mirroredEventTypes, type AttemptSnapshot } from '../../contracts/ghosthands';
import type { Submission } from '../../contracts/job';
import { secretParameter } from '../../domain/secret-patterns';
import { redacted } from '../../domain/sensitive';
import { signedField } from '../../domain/url-secrets';
import { callAssigner } from '../jobs/assign';
import { isCurrent, jobColumns, jobJoins, toJob, workSteps, workValues, type AttemptEnd, type Job, type JobRow } from '../jobs/jobs';
import { queryNamed, type Queryable } from '../queryable';

/** The attempt row as GH left it, with what its events prove; `unreadable` names the field that breaks our expectations. */
export type AttemptRead = { kind: 'seen'; seen: AttemptSnapshot } | { kind: 'missing' } | { kind: 'unreadable'; problem: string };

export const readAttempt = async (db: Queryable, attemptId: string): Promise<AttemptRead> => {
  const text = `${readStatement} where g.id = $1::uuid`;
  const { rows } = await queryNamed<Record<string, unknown>>(db, { name: 'read_attempt', text, values: [attemptId, handlerEventTypes] });
  return rows[0] === undefined ? { kind: 'missing' } : parse(rows[0]);
};

/** Where and how long ago an attempt was claimed; nulls where it was not, or is none. An age, so that no two clocks are compared. */
export const findClaim = async (db: Queryable, attemptId: string): Promise<{ host: string | null; claimedAgeMs: number | null }> => {
  const { rows } = await db.query<{ host: string | null; claimedAgeMs: number | null }>(
    `select host, (extract(epoch from clock_timestamp() - claimed_at) * 1000)::float8 as "claimedAgeMs" from yardmaster.attempt where attempt_id = $1::uuid`,
    [attemptId],
  );
  return rows[0] ?? { host: null, claimedAgeMs: null };
};

/**
 * Locks a job for the rest of the transaction and reads it, with its attempt, as they are then. Null when there is no such job.
 */
export const lockJobWithAttempt = async (db: Queryable, jobId: string): Promise<{ job: Job; read: AttemptRead } | null> => {
  const { rows } = await queryNamed<JobRow & { is_current: boolean; has_row: boolean | null }>(db, {
    name: 'lock_job_with_attempt',
    text: `
     with locked as materialized (select j as job, j.xmin as version from yardmaster.job j where j.job_id = $1::uuid for update)
     select ${jobColumns}, ${isCurrent('locked.version')} as is_current, seen.*
     from locked cross join lateral (select (locked.job).*) j ${jobJoins}
     left join lateral (select true as has_row, r.* from (${readStatement} where g.id = j.attempt_id) r) seen on true`,
    values: [jobId, handlerEventTypes],
  });
  const [row] = rows;
  if (row === undefined) return null;
  // The lock is ours by now.
  if (!row.is_current) return await lockJobWithAttempt(db, jobId);
  return { job: toJob(row), read: row.has_row === true ? parse(row) : { kind: 'missing' } };
};

const parse = (row: object): AttemptRead => {
  const parsed = attemptSnapshotSchema.safeParse(row);
  if (parsed.success) return { kind: 'seen', seen: parsed.data };
  return { kind: 'unreadable', problem: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') };
};

const readStatement = `
select g.status, g.status_message as "statusMessage", g.job_type as "jobType", g.worker_id as "workerId",
  g.target_worker_id is not null as "isArmed", g.started_at is not null as "hasStarted",
  e.claimed_at as "claimedAt",
  -- Postgres before 17 refuses to subtract an infinite moment.
  case when isfinite(g.last_heartbeat) then (extract(epoch from clock_timestamp() - g.last_heartbeat) * 1000)::float8 end as "heartbeatAgeMs",
  g.paused_at as "pausedAt", g.interaction_type as "interactionType", g.error_code as "errorCode",
  coalesce(g.error_details ->> 'message', g.status_message) as "errorMessage",
  coalesce(g.error_details ? 'released_by' or g.error_details ? 'recovered_by', false) as "wasReleased",
  g.result_data is not null as "hasResult",
  case when jsonb_typeof(g.result_data -> 'submitted') = 'boolean' then (g.result_data -> 'submitted')::boolean
       when jsonb_typeof(g.result_data -> 'success') = 'boolean' then (g.result_data -> 'success')::boolean end as "resultSubmitted",
  pg_postmaster_start_time() > coalesce(e.claimed_at, g.created_at) as "mayHaveLostWrites",
  e.has_handler_event as "hasHandlerEvent", e.has_crash_event as "hasCrashEvent", e.has_review_event as "hasReviewEvent",
  greatest(e.open_human_waits, 0) as "openHumanWaits", t.reported as "callbackEnd"
from gh_automation_jobs g
left join lateral (
  -- Of the worker that has the attempt, under our secret; one that says submitted before one that says nothing of it.
  select json_build_object('status', c.word, 'submitted', c.submitted, 'errorCode', c.error_code, 'wentOnMs', (extract(epoch from greatest(
    case when g.worker_id = a.worker_id and g.status in ('running', 'paused', 'needs_human') and isfinite(g.last_heartbeat) then g.last_heartbeat end,
    (select max(h.created_at) from gh_job_events h where h.job_id = g.id and h.event_type = any($2::text[]) and isfinite(h.created_at))
  ) - c.received_at) * 1000)::float8) as reported
  from yardmaster.received_callback c join yardmaster.attempt a using (attempt_id)
  where c.attempt_id = g.id and c.word in ('completed', 'failed') and c.worker_id = a.worker_id and c.effect <> 'names_other_job'
  order by c.submitted desc nulls last, c.received_at desc limit 1
) t on true
cross join lateral (
  select
    min(created_at) filter (where event_type = 'status_change' and to_status = 'queued') as claimed_at,
    -- Every step after 'initializing' has the page or is about to (ghosthands §3.2).
    coalesce(bool_or(event_type = any($2::text[]) or (event_type = 'progress_update'
      and metadata ->> 'step' not in ('queued', 'initializing', 'failed'))), false) as has_handler_event,
    coalesce(bool_or(event_type = 'browser_crash_detected'), false) as has_crash_event,
    coalesce(bool_or(event_type in ('awaiting_user_review', 'awaiting_review')), false) as has_review_event,
    (count(*) filter (where event_type = 'hitl_paused') - count(*) filter (where event_type in ('hitl_resumed', 'hitl_timeout')))::int as open_human_waits
  from gh_job_events where job_id = g.id
) e`;

/** True when nobody had claimed the row, which nobody can from now on; false when the worker was faster. */
export const takeBack = async (db: Queryable, attemptId: string): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update gh_automation_jobs set status = 'cancelled', target_worker_id = null, status_message = 'Taken back before a worker had it'
     where id = $1::uuid and worker_id is null and status = 'pending' and started_at is null
       and not coalesce(error_details ? 'released_by' or error_details ? 'recovered_by', false)`,
    [attemptId],
  );
  return rowCount === 1;
};

/** As `AttemptWork` of a move says (jobs.ts), where the job stays as it is. */
export const endAttempt = async (db: Queryable, { attemptId, ...end }: AttemptEnd & { attemptId: string }): Promise<void> => {
  await queryNamed(db, {
    name: 'end_attempt',
    text: `with ${workSteps('$1', 2)} select ${callAssigner} from worked`,
    values: [attemptId, ...workValues({ end })],
  });
};

/** What an attempt that has ended is proven to have done after all. */
export const noteProof = async (db: Queryable, { attemptId, submission }: { attemptId: string; submission: Submission }): Promise<void> => {
  await db.query(`update yardmaster.attempt set submission = $2 where attempt_id = $1::uuid`, [attemptId, submission]);
};

/**
 * Takes the personal data out of the attempt rows of the ended job $1; the public job row keeps it, it belongs to the product. Two steps of a statement.
 */
export const eraseSteps = `
     erased as (
       update yardmaster.attempt set erased_at = now()
       where job_id = $1::uuid and ended_at is not null and erased_at is null
         and exists (select from yardmaster.job j where j.job_id = $1::uuid and j.ended_at is not null)
       returning attempt_id
     ), emptied as (
       update gh_automation_jobs g set input_data = '{}', resume_ref = null, interaction_data = null, result_data = null, result_summary = null,
         metadata = jsonb_build_object('yardmaster', g.metadata -> 'yardmaster')
       from erased where g.id = erased.attempt_id
     )`;

export const eraseAttempts = async (db: Queryable, jobId: string): Promise<void> => {
  await queryNamed(db, { name: 'erase_attempts', text: `with ${eraseSteps} select 1`, values: [jobId] });
};

/** A parameter's value, or who and with which password. It ends where a text of JSON may end. */
const secretOfAddress = String.raw`(?:(${secretParameter})[^&;#\s"'<>\\]+|(://)[^\s/?#"'<>\\]+(?=@))`;

/**
 * Copies progress and milestones to the public job id $1, where the product reads them. A copy has an id derived from its original, so that copying
 * twice changes nothing. Without a job: of every live attempt. The address of a page loses its secrets on the way, unless the
 * event has one that has to be opened; that is dear, so what is copied already is left out first. In the order of ids: a step and a pass of the sweep copy the
 * same events, and must not wait for each other. `copyValues` are the values from `$n` on.
 */
export const copyEvents = (n: number): string => `
     insert into gh_job_events (id, job_id, event_type, message, metadata, actor, created_at)
     select md5('yardmaster:' || e.id)::uuid, a.job_id, e.event_type,
       case when e.message like '%://%' then regexp_replace(e.message, $${n + 1}::text, '\\1\\2' || $${n + 2}::text, 'gi') else e.message end,
       case when e.metadata::text like '%://%' and e.metadata::text !~* $${n + 3}::text
         then regexp_replace(e.metadata::text, $${n + 1}::text, '\\1\\2' || $${n + 2}::text, 'gi')::jsonb else e.metadata end,
       e.actor, e.created_at
     from yardmaster.attempt a join gh_job_events e on e.job_id = a.attempt_id
     where e.event_type = any($${n}::text[])
       and case when $1::uuid is null then a.ended_at is null else a.job_id = $1::uuid and (a.ended_at is null or a.ended_at >= now()) end
       and exists (select from gh_automation_jobs g where g.id = a.job_id)
       and not exists (select from gh_job_events c where c.id = md5('yardmaster:' || e.id)::uuid)
     order by e.id
     on conflict (id) do nothing`;
export const copyValues = [mirroredEventTypes, secretOfAddress, redacted, signedField.source];

export const mirrorEvents = async (db: Queryable, jobId: string | null): Promise<void> => {
  await queryNamed(db, { name: 'mirror_events', text: copyEvents(2), values: [jobId, ...copyValues] });
};

/** What an attempt leaves for the product: results, cost and what it asks of a human. Personal data; it goes into callbacks and nowhere else. */
export interface AttemptResult {
  resultData: unknown;
  resultSummary: string | null;
  screenshotUrl: string | null;
  cost: { total_cost_usd: number; action_count: number; total_tokens: number } | null;
  interactionType: string | null;
  interaction: { description: string | null; page_url: string | null; screenshot_url: string | null };
}

export const readAttemptResult = async (db: Queryable, attemptId: string): Promise<AttemptResult | null> => {
  const { rows } = await queryNamed<AttemptResult>(db, {
    name: 'read_attempt_result',
    text: `
     select g.result_data as "resultData", g.result_summary as "resultSummary", g.screenshot_urls ->> 0 as "screenshotUrl",
       case when jsonb_typeof(g.result_data -> 'cost') = 'object' then jsonb_build_object(
         'total_cost_usd', coalesce((g.result_data #>> '{cost,total_cost_usd}')::numeric, 0),
         'action_count', coalesce((g.result_data #>> '{cost,action_count}')::numeric, 0),
         'total_tokens', coalesce((g.result_data #>> '{cost,input_tokens}')::numeric, 0) + coalesce((g.result_data #>> '{cost,output_tokens}')::numeric, 0))
       end as cost,
       g.interaction_type as "interactionType",
       jsonb_build_object('description', coalesce(g.interaction_data ->> 'description', g.interaction_data ->> 'details'),
         'page_url', g.interaction_data ->> 'page_url', 'screenshot_url', g.interaction_data ->> 'screenshot_url') as interaction
     from gh_automation_jobs g where g.id = $1::uuid`,
    values: [attemptId],
  });
  return rows[0] ?? null;
};

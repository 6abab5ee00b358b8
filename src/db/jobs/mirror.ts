import { ghStatusOf } from '../../domain/job-state';
import { withoutPageSecrets } from '../../domain/url-secrets';
import { copyEvents, copyValues, eraseSteps } from '../attempts/attempts';
import { jobColumns, jobJoins, toJob, type Job, type JobRow } from './jobs';
import { queryNamed, type Queryable } from '../queryable';
import { withoutResolution } from '../commands/resume';

/** How a mirror is written. */
export interface MirrorOptions {
  /** PRODUCT_SEES_WORKER_ID: a worker in the public row leads VALET past us to its machine (valet §1.5). */
  showsWorkerId: boolean;
  /** A person has opened another generation: `cancelled` is the end of the last one, and no cancel of this one. */
  isNewLife?: boolean;
}

/**
 * Of a public row and its live job `j`: somebody cancelled it there, and that is not yet proven, or nobody has taken the command (src/db/commands/row-commands.ts). Until
 * then it is not written over.
 */
const saysCancelled = (
  row: string,
): string => `(${row}.status = 'cancelled' and j.ended_at is null and (j.cancel_requested_at is null or exists (
  select from yardmaster.command c where c.job_id = j.job_id and c.kind = 'cancel' and c.ended_at is null)))`;

/**
 * Writes our state into the public job row, the mirror that the product reads: state, interaction, results, and a heartbeat, since VALET
 * fails tasks whose row is silent (valet §3.1). Re-asserts what keeps the row unclaimable. Never copies what a person typed into a resume.
 */
export const mirrorJob = async (db: Queryable, jobId: string, options: MirrorOptions): Promise<void> => {
  const { rows } = await queryNamed<{ interaction: unknown }>(db, {
    name: 'mirror_job',
    text: mirrorUpdate,
    values: [jobId, ...mirrorValues(options)],
  });
  await hidePageSecrets(db, jobId, rows[0]?.interaction);
};

/** What a step shows at its end: the mirror, the progress, and of an ended job the personal data of its attempts no longer. Answers the job as it is then. */
export const mirrorStep = async (db: Queryable, jobId: string, options: MirrorOptions): Promise<Job> => {
  const { rows } = await queryNamed<JobRow & { interaction: unknown }>(db, {
    name: 'mirror_step',
    text: `
     with mirrored as (${mirrorUpdate}), copied as (${copyEvents(5)}), ${eraseSteps}
     select ${jobColumns}, (select interaction from mirrored) as interaction
     from yardmaster.job j ${jobJoins} where j.job_id = $1::uuid`,
    values: [jobId, ...mirrorValues(options), ...copyValues],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('a job whose row was locked is gone');
  await hidePageSecrets(db, jobId, row.interaction);
  return toJob(row);
};

const mirrorValues = ({ showsWorkerId, isNewLife = false }: MirrorOptions): unknown[] => [
  JSON.stringify(ghStatusOf),
  showsWorkerId,
  isNewLife,
];

const mirrorUpdate = `
     update gh_automation_jobs g set
       status = case when ${saysCancelled('g')} and not $4::boolean then g.status else ($2::jsonb) ->> j.state end,
       status_message = nullif(j.detail, ''),
       worker_affinity = 'strict', target_worker_id = null, callback_url = null,
       worker_id = case when $3::boolean then a.worker_id end,
       started_at = (select min(t.claimed_at) from yardmaster.attempt t where t.job_id = j.job_id and t.generation = j.generation),
       completed_at = case when j.ended_at is not null or j.state = 'uncertain' then coalesce(j.ended_at, j.state_at) end,
       last_heartbeat = now(),
       error_code = case when j.state = 'uncertain' then 'submission_uncertain' when j.state in ('failed', 'expired') then left(j.error_code, 50) end,
       error_details = case when j.state in ('uncertain', 'failed', 'expired') then jsonb_build_object('message', coalesce(j.error_message, j.detail)) end,
       paused_at = case when j.state = 'waiting_human' then coalesce(r.paused_at, j.state_at) end,
       interaction_type = case when j.state = 'waiting_human' then case j.human_kind when 'review' then 'review' else r.interaction_type end end,
       interaction_data = case when j.state = 'waiting_human'
         then ${withoutResolution('r.interaction_data')} end,
       result_data = case when j.state in ('succeeded', 'waiting_human') then coalesce(r.result_data, g.result_data) else g.result_data end,
       result_summary = case when j.state = 'succeeded' then coalesce(r.result_summary, g.result_summary) else g.result_summary end,
       screenshot_urls = coalesce(nullif(r.screenshot_urls, '[]'), g.screenshot_urls),
       final_mode = coalesce(r.final_mode, g.final_mode)
     from yardmaster.job j
     left join yardmaster.attempt a on a.attempt_id = j.attempt_id
     left join gh_automation_jobs r on r.id = j.attempt_id
     where j.job_id = $1::uuid and g.id = j.job_id
     returning case when j.state = 'waiting_human' then g.interaction_data end as interaction`;

/** In the transaction of the step, so nobody reads it as it came. */
const hidePageSecrets = async (db: Queryable, jobId: string, interaction: unknown = null): Promise<void> => {
  const shown = JSON.stringify(withoutPageSecrets(interaction));
  if (shown !== JSON.stringify(interaction))
    await db.query(`update gh_automation_jobs set interaction_data = $2::jsonb where id = $1::uuid`, [jobId, shown]);
};

/** A public row that somebody wrote over, and both values of its status. */
export interface MirrorRepair {
  jobId: string;
  found: string;
  wanted: string;
}

/**
 * Keeps the job rows of all live jobs warm, and puts right what a neighbour wrote over their state. Answers which were written over. Inside of a
 * transaction: locks each job first, and leaves out those that are in the middle of a step: what was read of them would be written over what the step mirrors;
 * and those that a neighbour has cancelled, whose command comes first.
 */
export const refreshMirrors = async (db: Queryable, { beatMs }: { beatMs: number }, mirror: MirrorOptions): Promise<MirrorRepair[]> => {
  const { rows } = await db.query<MirrorRepair>(
    `with stale as materialized (
       select j.job_id, ($2::jsonb) ->> j.state as wanted, o.status as found,
         o.status <> ($2::jsonb) ->> j.state or o.worker_affinity is distinct from 'strict' or o.target_worker_id is not null as is_wrong
       from yardmaster.job j join gh_automation_jobs o on o.id = j.job_id
       where j.ended_at is null
         and (o.last_heartbeat is null or o.last_heartbeat < now() - $1::int * interval '1 ms' or o.status <> ($2::jsonb) ->> j.state
           or o.worker_affinity is distinct from 'strict' or o.target_worker_id is not null)
         and not ${saysCancelled('o')}
       for no key update of j skip locked
     ), refreshed as (
       update gh_automation_jobs g set last_heartbeat = now(), status = m.wanted, worker_affinity = 'strict', target_worker_id = null
       from stale m where g.id = m.job_id
       returning m.job_id, m.found, m.wanted, m.is_wrong
     )
     select job_id as "jobId", found, wanted from refreshed where is_wrong`,
    [beatMs, JSON.stringify(ghStatusOf)],
  );
  // Whoever wrote over the state wrote more beside it: a code, a message, a moment.
  for (const { jobId } of rows) await mirrorJob(db, jobId, mirror);
  return rows;
};

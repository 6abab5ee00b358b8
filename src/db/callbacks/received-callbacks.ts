import { submittedOf, type GhCallback } from '../../contracts/ghosthands';
import { queryNamed, type Queryable } from '../queryable';

/** What became of a callback of GH: only the first one wakes a workflow. */
export type CallbackEffect = 'wakes_job' | 'attempt_ended' | 'attempt_unknown' | 'names_other_job';

/** Records a callback as it came, whatever it is about, and answers which job it concerns, and whether a workflow has that already. */
export const recordCallback = async (
  db: Queryable,
  { attemptId, callback }: { attemptId: string; callback: GhCallback },
): Promise<{ effect: CallbackEffect; jobId: string | null; hasOwner: boolean }> => {
  const { rows } = await queryNamed<{ effect: CallbackEffect; job_id: string | null; has_owner: boolean }>(db, {
    name: 'record_callback',
    text: `
     with about as (
       select a.job_id, j.owner is not null as has_owner, case
         when lower($3::text) <> $1::text then 'names_other_job'
         when a.attempt_id is null then 'attempt_unknown'
         -- It may prove what a job that rests uncertain could not know at its end.
         when a.ended_at is not null and not (j.state = 'uncertain' and j.attempt_id = a.attempt_id) then 'attempt_ended'
         else 'wakes_job' end as effect
       from (select $1::uuid as attempt_id) asked left join yardmaster.attempt a using (attempt_id) left join yardmaster.job j using (job_id)
     ), recorded as (
       insert into yardmaster.received_callback (attempt_id, word, worker_id, error_code, submitted, effect)
       select $1::uuid, $2, $4, $5, $6::boolean, effect from about
     )
     select effect, job_id, has_owner from about`,
    values: [attemptId, callback.status, callback.job_id, callback.worker_id ?? null, callback.error_code ?? null, submittedOf(callback)],
  });
  const about = rows[0];
  if (about === undefined) throw new Error('an insert answered no row');
  return { effect: about.effect, jobId: about.job_id, hasOwner: about.has_owner };
};

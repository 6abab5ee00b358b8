import { ghStatusOf } from '../../domain/job-state';
import type { Limits } from '../../contracts/limits';
import { mirrorJob, type MirrorOptions, type MirrorRepair } from './mirror';
import { queryNamed, type Queryable } from '../queryable';

/** Of a public row `g` and the job `c` that it shows. */
const isOverwritten = (
  statuses: string,
): string => `(g.status <> (${statuses}::jsonb) ->> c.state or g.worker_affinity is distinct from 'strict'
  or g.target_worker_id is not null or g.callback_url is not null
  or g.interaction_data ?| '{resolution_type,resolution_data,resolved_by,resolved_at}'::text[])`;

/**
 * Ended jobs whose public row says something else. One that looks alive again is found whatever its age, by the neighbours' indexes; one that ended otherwise
 * is compared at ages that double, so that a pass costs what ended in a few minutes, not what ever ended.
 */
export const listOverwrites = async (
  db: Queryable,
  { overwriteWindows, overwriteWindowMs, sweepBatchRows }: Pick<Limits, 'overwriteWindows' | 'overwriteWindowMs' | 'sweepBatchRows'>,
): Promise<MirrorRepair[]> => {
  const { rows } = await queryNamed<MirrorRepair>(db, {
    name: 'list_overwrites',
    text: `
     with age_window as (
       select now() - power(2, n) * interval '1 min' as until from generate_series(0, $1::int - 1) n
     ), candidate as materialized (
       select j.job_id, j.state from age_window cross join lateral (
         select job_id, state from yardmaster.job
         where ended_at is not null and ended_at < age_window.until and ended_at >= age_window.until - $2::int * interval '1 ms'
         order by ended_at limit $3::int
       ) j
       union
       select j.job_id, j.state from gh_automation_jobs o cross join lateral (
         select job_id, state from yardmaster.job where job_id = o.id and ended_at is not null offset 0
       ) j where o.status in ('pending', 'queued')
       union
       select j.job_id, j.state from gh_automation_jobs o cross join lateral (
         select job_id, state from yardmaster.job where job_id = o.id and ended_at is not null offset 0
       ) j where o.status = 'running'
       union
       select j.job_id, j.state from gh_automation_jobs o cross join lateral (
         select job_id, state from yardmaster.job where job_id = o.id and ended_at is not null offset 0
       ) j where o.status = 'paused'
     )
     select c.job_id as "jobId", g.status as found, ($4::jsonb) ->> c.state as wanted
     from candidate c cross join lateral (select * from gh_automation_jobs where id = c.job_id offset 0) g
     where ${isOverwritten('$4')}
     limit $3::int`,
    values: [overwriteWindows, overwriteWindowMs, sweepBatchRows, JSON.stringify(ghStatusOf)],
  });
  return rows;
};

/** Inside the caller's transaction: writes the rows again, and keeps what was found as an event of each job. Answers which were still to be repaired. */
export const repairOverwrites = async (
  db: Queryable,
  overwrites: readonly MirrorRepair[],
  mirror: MirrorOptions,
): Promise<MirrorRepair[]> => {
  const jobIds = overwrites.map(({ jobId }) => jobId);
  await db.query(`select from yardmaster.job where job_id = any($1::uuid[]) and ended_at is not null order by job_id for no key update`, [
    jobIds,
  ]);
  // After the locks: another pass may have been here, or a person has opened the next generation.
  const { rows } = await db.query<MirrorRepair>(
    `with wrong as (
       select c.job_id, g.status as found, ($2::jsonb) ->> c.state as wanted
       from yardmaster.job c join gh_automation_jobs g on g.id = c.job_id
       where c.job_id = any($1::uuid[]) and c.ended_at is not null and ${isOverwritten('$2')}
     ), event as (
       insert into gh_job_events (job_id, event_type, from_status, to_status, message, metadata, actor)
       select job_id, 'late_overwrite_repaired', found, wanted, 'Written over after its end, and put right', '{}', 'yardmaster' from wrong
     )
     select job_id as "jobId", found, wanted from wrong`,
    [jobIds, JSON.stringify(ghStatusOf)],
  );
  for (const { jobId } of rows) await mirrorJob(db, jobId, mirror);
  return rows;
};

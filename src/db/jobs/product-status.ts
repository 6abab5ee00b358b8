import type { HumanKind, JobState } from '../../contracts/job';
import type { Queryable } from '../queryable';

/** A job as the product asks for it: our state, and what its worker left in the job row. */
export interface ProductStatus {
  jobId: string;
  valetTaskId: string | null;
  state: JobState;
  detail: string;
  stateAt: Date;
  acceptedAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  deadlineAt: Date | null;
  workerId: string | null;
  wantedWorker: string | null;
  humanKind: HumanKind | null;
  errorCode: string | null;
  errorMessage: string | null;
  /** Of the newest progress event of this generation. */
  progressPct: number | null;
  executionMode: string | null;
  browserMode: string | null;
  finalMode: string | null;
  resultData: unknown;
  resultSummary: string | null;
  screenshots: unknown;
  interactionType: string | null;
  interaction: unknown;
}

/** Null when no such job. */
export const findProductStatus = async (db: Queryable, jobId: string): Promise<ProductStatus | null> => {
  const { rows } = await db.query<ProductStatus>(
    `select j.job_id as "jobId", j.valet_task_id as "valetTaskId", j.state, j.detail, j.state_at as "stateAt", j.accepted_at as "acceptedAt",
       (select min(claimed_at) from yardmaster.attempt t where t.job_id = j.job_id and t.generation = j.generation) as "startedAt",
       j.ended_at as "endedAt", nullif(j.deadline_at, 'infinity') as "deadlineAt", a.worker_id as "workerId", j.wanted_worker as "wantedWorker",
       j.human_kind as "humanKind", j.error_code as "errorCode", j.error_message as "errorMessage", p.pct as "progressPct",
       g.execution_mode as "executionMode", g.browser_mode as "browserMode", g.final_mode as "finalMode",
       g.result_data as "resultData", g.result_summary as "resultSummary", g.screenshot_urls as screenshots,
       g.interaction_type as "interactionType", g.interaction_data as interaction
     from yardmaster.job j
     left join yardmaster.attempt a on a.attempt_id = j.attempt_id
     left join gh_automation_jobs g on g.id = j.job_id
     left join lateral (
       select case when jsonb_typeof(e.metadata -> 'progress_pct') = 'number' then (e.metadata ->> 'progress_pct')::float8 end as pct
       from gh_job_events e
       where e.job_id = j.job_id and e.event_type = 'progress_update'
         and e.created_at >= (select min(at) from yardmaster.job_transition n where n.job_id = j.job_id and n.generation = j.generation)
       order by e.created_at desc limit 1
     ) p on true
     where j.job_id = $1::uuid`,
    [jobId],
  );
  return rows[0] ?? null;
};

import { queryNamed, type Queryable } from '../queryable';
import { resolutionKeys } from './resume';

/**
 * What neighbours write into the public rows of our jobs is a command to us (design §5.5): GH's own API writes resumes and retries there (ghosthands §1.4), VALET a
 * cancel (valet §3.1). Rows of others are never read, and never touched.
 */
export const rowCommandKinds = ['cancel', 'resume', 'retry'] as const;
export type RowCommandKind = (typeof rowCommandKinds)[number];

/** The last statement of GH's own resume: with the notes of whoever called, which may hold a code. */
const saysResumed = `g.status = 'running' and g.status_message like 'Resumed by %'`;

/** What GH's own retry leaves behind (ghosthands §1.4); a release by a worker looks otherwise, and takes no ended row. */
const isPutBack = `g.status = 'pending' and g.retry_count > 0 and g.completed_at is null and g.worker_id is null`;

/** Untaken commands in the rows of live jobs: notifications get lost, so that these are polled. */
export const listRowCommands = async (
  db: Queryable,
  { rows: limit }: { rows: number },
): Promise<{ jobId: string; kinds: RowCommandKind[] }[]> => {
  const { rows } = await queryNamed<{ jobId: string; kinds: RowCommandKind[] }>(db, {
    name: 'list_row_commands',
    text: `
     select j.job_id as "jobId", said.kinds
     from yardmaster.job j join gh_automation_jobs g on g.id = j.job_id
     cross join lateral (select array_remove(array[
       case when g.status = 'cancelled' and j.cancel_requested_at is null then 'cancel' end,
       case when g.interaction_data ?| ${resolutionKeys} or ${saysResumed} then 'resume' end,
       case when j.state = 'uncertain' and ${isPutBack} then 'retry' end], null) as kinds) said
     where j.ended_at is null and cardinality(said.kinds) > 0
     order by j.job_id limit $1::int`,
    values: [limit],
  });
  return rows;
};

/** Is it the public row of a job of ours? Anybody may notify, with any text. */
export const isJobOfOurs = async (db: Queryable, rowId: string): Promise<boolean> => {
  const { rowCount } = await queryNamed(db, {
    name: 'is_job_of_ours',
    text: `select from yardmaster.job where job_id = case when $1 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then $1::uuid end`,
    values: [rowId],
  });
  return rowCount === 1;
};

/** What a public row says of a command at this moment; locks it for the rest of the transaction. Null when it is gone. */
export const lockPublicRow = async (
  db: Queryable,
  jobId: string,
): Promise<{ isCancelled: boolean; isResumed: boolean; isPutBack: boolean } | null> => {
  const { rows } = await db.query<{ isCancelled: boolean; isResumed: boolean; isPutBack: boolean }>(
    `select g.status = 'cancelled' as "isCancelled", coalesce(${saysResumed}, false) as "isResumed", ${isPutBack} as "isPutBack"
     from gh_automation_jobs g where g.id = $1::uuid for no key update`,
    [jobId],
  );
  return rows[0] ?? null;
};

/** Longer than any code or password with its name: what is longer is not even brought here. */
const resolutionBytesMax = 4_096;

export interface TakenResolution {
  type: unknown;
  data: unknown;
  isTooLong: boolean;
}

/** Takes what GH's API wrote for a resume out of the row, in one statement, whatever it is; null when there is nothing, or somebody was faster. */
export const takeResolution = async (db: Queryable, jobId: string): Promise<TakenResolution | null> => {
  const { rows } = await db.query<TakenResolution>(
    `with found as materialized (
       select g.id, case when jsonb_typeof(g.interaction_data) = 'object' then g.interaction_data end as held
       from gh_automation_jobs g where g.id = $1::uuid and g.interaction_data ?| ${resolutionKeys} for no key update
     ), taken as (
       update gh_automation_jobs g set interaction_data = found.held - ${resolutionKeys} from found where g.id = found.id
       returning found.held
     ), measured as (
       select held, coalesce(octet_length(held ->> 'resolution_data'), 0) + coalesce(octet_length(held ->> 'resolution_type'), 0) > $2::int as is_too_long
       from taken
     )
     select is_too_long as "isTooLong", case when not is_too_long then held -> 'resolution_type' end as type,
       case when not is_too_long then held -> 'resolution_data' end as data
     from measured`,
    [jobId, resolutionBytesMax],
  );
  return rows[0] ?? null;
};

/** Was a resume of this job taken from its row a moment ago? GH's own writes its last statement after the one that notifies. */
export const hasFreshRowResume = async (db: Queryable, { jobId, withinMs }: { jobId: string; withinMs: number }): Promise<boolean> => {
  const { rowCount } = await db.query(
    `select from yardmaster.command
     where job_id = $1::uuid and kind = 'resume' and source = 'row' and requested_at > now() - $2::int * interval '1 ms' limit 1`,
    [jobId, withinMs],
  );
  return rowCount === 1;
};

/** Says in the job, and so in its public row, what its person can do. */
export const noteForPerson = async (db: Queryable, jobId: string, detail: string): Promise<void> => {
  await db.query(`update yardmaster.job set detail = $2 where job_id = $1::uuid and state = 'waiting_human'`, [jobId, detail]);
};

/** Ended jobs among these whose public row GH's own retry has put back. */
export const listPutBack = async (db: Queryable, jobIds: readonly string[]): Promise<string[]> => {
  if (jobIds.length === 0) return [];
  const { rows } = await db.query<{ id: string }>(`select g.id from gh_automation_jobs g where g.id = any($1::uuid[]) and ${isPutBack}`, [
    jobIds,
  ]);
  return rows.map(({ id }) => id);
};

/** Commands of the last while that came through a row, by kind. */
export const countRowCommands = async (
  db: Queryable,
  { withinMs }: { withinMs: number },
): Promise<{ kind: string; commands: number }[]> => {
  const { rows } = await db.query<{ kind: string; commands: number }>(
    `select kind, count(*)::int as commands from yardmaster.command
     where source = 'row' and requested_at > now() - $1::int * interval '1 ms' group by kind order by kind`,
    [withinMs],
  );
  return rows;
};

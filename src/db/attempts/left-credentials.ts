import { queryNamed, type Queryable } from '../queryable';

/**
 * Rows of live jobs and attempts that still hold what a resume carried, and when it was written by the row's own account, which may be anything. Never the
 * contents.
 */
export const listLeftCredentials = async (db: Queryable): Promise<{ rowId: string; resolvedAt: string | null; now: Date }[]> => {
  const { rows } = await queryNamed<{ rowId: string; resolvedAt: string | null; now: Date }>(db, {
    name: 'list_left_credentials',
    text: `
     select g.id as "rowId", g.interaction_data ->> 'resolved_at' as "resolvedAt", now() as now
     from (select attempt_id as id from yardmaster.attempt where ended_at is null
       union all select job_id from yardmaster.job where ended_at is null) live
     join gh_automation_jobs g using (id)
     where g.interaction_data ?| '{resolution_type,resolution_data,resolved_by,resolved_at}'::text[]`,
    values: [],
  });
  return rows;
};

import type { Queryable } from '../queryable';

/** `unreadable` where the queries of other backends are hidden from us: the look-up would find nothing and say nothing (ghosthands §7.2). */
export const findCancelListener = async (db: Queryable, attemptId: string): Promise<'present' | 'absent' | 'unreadable'> => {
  const { rows } = await db.query<{ present: boolean; hidden: boolean }>(
    `select coalesce(bool_or(query = 'LISTEN "gh_job_cancel_' || $1::text || '"'), false) as present,
       coalesce(bool_or(query = '<insufficient privilege>'), false) as hidden
     from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    [attemptId],
  );
  if (rows[0]?.present === true) return 'present';
  return rows[0]?.hidden === true ? 'unreadable' : 'absent';
};

/**
 * Ends the backend that listens for the cancel of this attempt, and so its worker's process, 1.0 s later (ghosthands §7.2). First disarms the row,
 * so that nothing claims it again. Answers how many were ended, or why none could be.
 */
export const endCancelListener = async (db: Queryable, attemptId: string): Promise<{ ended: number; problem: 'not_permitted' | null }> => {
  await db.query(`update gh_automation_jobs set target_worker_id = null where id = $1::uuid and target_worker_id is not null`, [attemptId]);
  try {
    const { rows } = await db.query<{ ended: boolean }>(
      `select pg_terminate_backend(pid) as ended from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query = 'LISTEN "gh_job_cancel_' || $1::text || '"'`,
      [attemptId],
    );
    return { ended: rows.filter(({ ended }) => ended).length, problem: null };
  } catch (error) {
    if (error instanceof Object && 'code' in error && error.code === insufficientPrivilege) return { ended: 0, problem: 'not_permitted' };
    throw error;
  }
};

/** insufficient_privilege */
const insufficientPrivilege = '42501';

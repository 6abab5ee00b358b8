import type { JobState } from '../../contracts/job';
import type { Queryable } from '../queryable';

/** Jobs that have not ended, by state; a state without a job is left out. */
export const countLiveJobs = async (db: Queryable): Promise<{ state: JobState; jobs: number }[]> => {
  const { rows } = await db.query<{ state: JobState; jobs: number }>(
    `select state, count(*)::int as jobs from yardmaster.job where ended_at is null group by state`,
  );
  return rows;
};

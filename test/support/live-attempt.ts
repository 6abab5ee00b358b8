import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { insertJob, setJob } from './job-rows';

/** A job that runs at a worker as far as the rows tell, without any workflow; `end` is its end. */
export const addLiveAttempt = async (
  pool: Pool,
  { host, workerId }: { host: string; workerId: string },
): Promise<{ jobId: string; attemptId: string; end: () => Promise<void> }> => {
  const { jobId } = await insertJob(pool, { state: 'running' });
  const attemptId = randomUUID();
  await pool.query(
    `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, state, claimed_at)
     values ($1, $2, 1, 1, $3, $4, 'running', now())`,
    [attemptId, jobId, workerId, host],
  );
  return {
    jobId,
    attemptId,
    async end() {
      await pool.query(`update yardmaster.attempt set state = 'ended', ended_at = now() where attempt_id = $1 and ended_at is null`, [
        attemptId,
      ]);
      await setJob(pool, jobId, { state: 'succeeded' });
    },
  };
};

import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { HumanKind, JobState, Submission } from '../../src/contracts/job';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import type { Queryable } from '../../src/db/queryable';
import { withTransaction } from '../../src/db/pool';
import { makeNewJob, testActor } from './new-job';

export interface JobRowOptions {
  state?: JobState;
  reason?: string;
  submission?: Submission;
  humanKind?: HumanKind | null;
  taskId?: string;
}

/** A job that is in this state, without any workflow: for tests of those who only read rows and write commands. */
export const insertJob = async (pool: Pool, options: JobRowOptions = {}): Promise<{ jobId: string; taskId: string }> => {
  const jobId = randomUUID();
  const taskId = options.taskId ?? randomUUID();
  await withTransaction(pool, async (client) => {
    const job = makeNewJob({
      jobId,
      valetTaskId: taskId,
      targetUrl: 'https://sim.test/quick',
      taskDescription: 'Apply',
      inputData: {},
      resumeRef: null,
      tags: [],
    });
    const accepted = await acceptJob(client, job, testActor, limits);
    if (accepted.kind !== 'created') throw new Error('the task has a live job already');
  });
  await setJob(pool, jobId, options);
  return { jobId, taskId };
};

/** What a workflow would have written. */
export const setJob = async (
  db: Queryable,
  jobId: string,
  { state = 'accepted', reason = state, submission = 'no', humanKind = null }: Omit<JobRowOptions, 'taskId'>,
): Promise<void> => {
  await db.query(
    `update yardmaster.job set state = $2, reason = $3, submission = $4, human_kind = $5,
       ended_at = case when $2 in ('succeeded', 'failed', 'cancelled', 'expired') then now() end
     where job_id = $1::uuid`,
    [jobId, state, reason, submission, humanKind],
  );
};

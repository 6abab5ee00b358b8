import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { Pool } from 'pg';
import { recordCallback } from '../src/db/callbacks/received-callbacks';
import type { WorkflowsClient } from '../src/gateway/workflows-client';

export interface InstantGh {
  /** Resolves with `performance.now()` of the moment when the worker of this job was notified of its attempt row. */
  notifiedAt(jobId: string): Promise<number>;
  /** Our side says that the job runs: the worker completes it. */
  onRunning(jobId: string, attemptId: string): void;
  /** Hints that Temporal did not take within the deadline, and that were given again. */
  hintsLost(): number;
  stop(): Promise<void>;
}

/** Attempts that were notified before anybody asked; the bench never looks further back than its last jobs. */
const rememberedJobsMax = 1_000;

/**
 * All workers of the fleet in one: claims over LISTEN, writes the row as GH does, and hints the workflow as the gateway's callback route
 * does. What GH takes minutes for takes `restMs` here.
 */
export const startInstantGh = async ({
  databaseUrl,
  pool,
  workflows,
  restMs,
}: {
  databaseUrl: string;
  pool: Pool;
  workflows: WorkflowsClient;
  restMs: number;
}): Promise<InstantGh> => {
  const notified = new Map<string, number>();
  const asked = new Map<string, (at: number) => void>();
  const completing = new Set<string>();
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let lost = 0;

  const inBackground = (work: Promise<void>): void => {
    const settled = work
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        underWay.delete(settled);
      });
    underWay.add(settled);
  };

  const callBack = async (jobId: string, attemptId: string, status: string): Promise<void> => {
    const { effect, hasOwner } = await recordCallback(pool, { attemptId, callback: { job_id: attemptId, status } });
    if (effect !== 'wakes_job') return;
    // In production the sweep finds what a lost hint said; here nobody sweeps, and a busy machine must not lose a job.
    while (!(await workflows.wakeApplyJob(jobId, `callback ${status}`, { hasOwner })) && (await isLive(attemptId))) lost++;
  };

  const isLive = async (attemptId: string): Promise<boolean> =>
    (await pool.query('select from yardmaster.attempt where attempt_id = $1::uuid and ended_at is null', [attemptId])).rowCount === 1;

  const claim = async (attemptId: string, at: number): Promise<void> => {
    // The public job row is notified as well, by GH's trigger, and is never claimable.
    const { rows } = await pool.query<{ job_id: string }>(
      `update gh_automation_jobs set status = 'queued', worker_id = target_worker_id, last_heartbeat = now()
       where id = $1::uuid and status = 'pending' and target_worker_id is not null
       returning metadata #>> '{yardmaster,jobId}' as job_id`,
      [attemptId],
    );
    const jobId = rows[0]?.job_id;
    if (jobId === undefined) return;
    recordNotified(jobId, at);
    await delay(restMs);
    await pool.query(
      `update gh_automation_jobs set status = 'running', status_message = 'Starting browser agent', started_at = now(), last_heartbeat = now()
       where id = $1::uuid`,
      [attemptId],
    );
    await callBack(jobId, attemptId, 'running');
  };

  const complete = async (jobId: string, attemptId: string): Promise<void> => {
    await delay(restMs);
    await pool.query(
      `update gh_automation_jobs set status = 'completed', completed_at = now(), last_heartbeat = now(),
         result_data = '{"submitted": true}', result_summary = 'Application submitted'
       where id = $1::uuid`,
      [attemptId],
    );
    await callBack(jobId, attemptId, 'completed');
    completing.delete(attemptId);
  };

  const recordNotified = (jobId: string, at: number): void => {
    asked.get(jobId)?.(at);
    if (asked.delete(jobId)) return;
    notified.set(jobId, at);
    for (const oldest of notified.keys()) {
      if (notified.size <= rememberedJobsMax) break;
      notified.delete(oldest);
    }
  };

  const listener = new Client({ connectionString: databaseUrl, application_name: 'bench-gh' });
  await listener.connect();
  listener.on('error', (error) => void failures.push(error));
  listener.on('notification', ({ payload }) => {
    const at = performance.now();
    inBackground(claim((JSON.parse(payload ?? '{}') as { id: string }).id, at));
  });
  await listener.query('listen gh_job_created');

  return {
    async notifiedAt(jobId) {
      const at = notified.get(jobId);
      return at ?? (await new Promise<number>((resolve) => asked.set(jobId, resolve)));
    },
    onRunning(jobId, attemptId) {
      if (completing.has(attemptId)) return;
      completing.add(attemptId);
      inBackground(complete(jobId, attemptId));
    },
    hintsLost: () => lost,
    async stop() {
      await Promise.all(underWay);
      await listener.end();
      if (failures.length > 0) throw new AggregateError(failures, `${failures.length} steps of the instant GH failed`);
    },
  };
};

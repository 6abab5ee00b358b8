import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { Semaphore } from 'async-mutex';
import type { Pool } from 'pg';
import type { WorkflowsPort } from '../activities/deps';
import type { Limits } from '../src/contracts/limits';
import { assignChannel, assignWaitingJobs, endBackOffs, releaseAssigner, type Assignment } from '../src/db/jobs/assign';
import { createListener, type Listener } from '../src/db/listen';
import type { Log } from '../src/log';

export const assignerSettings = {
  // Planning the statement anew for each run costs as much as running it (11 of 20 ms).
  plan_cache_mode: 'force_generic_plan',
  // A plan outlives the tables that it was made for: of a new database, in its first minute, it read all attempts for each of 500 idle workers (140 of 160 ms).
  enable_seqscan: 'off',
  // Nothing follows from a pairing but what a worker or a step commits after it, which makes it durable too; what a crash of Postgres takes back, nobody has begun.
  synchronous_commit: 'off',
} as const;

/**
 * Gives waiting jobs to idle workers: at once when a statement has made a pair possible, and regularly as a net. Of all orchestrators one does it, as long
 * as it keeps the lease (docs/adr/0003-one-assigner.md). Its connections are its own, so that no step of a job waits for it, nor it for a step.
 */
export const startAssigner = ({
  pool,
  directUrl,
  callbackBaseUrl,
  workflows,
  limits,
  log,
}: {
  pool: Pool;
  directUrl: string | undefined;
  /** Where GH reaches our gateway, without a trailing slash. */
  callbackBaseUrl: string;
  workflows: Pick<WorkflowsPort, 'wake'>;
  limits: Limits;
  log: Log;
}): Listener => {
  const holder = `${os.hostname()}/${process.pid}/${randomUUID()}`;
  const hints = new Semaphore(limits.hintsAtOnce);
  const telling = new Set<Promise<unknown>>();
  let isAtWork = false;
  let lookedAt = -Infinity;
  let isOutageLogged = false;

  /** The workflow of a job that waited goes on. What is lost, the worker's own callback and the sweep make good. */
  const tell = async ({ jobId }: Assignment): Promise<void> => {
    await workflows.wake(jobId, 'assigned').catch((error: unknown) => log.debug('A hint was lost', { jobId, error }));
  };

  const run = async (): Promise<void> => {
    const isLook = performance.now() - lookedAt > limits.assignEveryMs / 2;
    // Who stands by need not hear every call.
    if (!isLook && !isAtWork) return;
    try {
      if (isLook) {
        lookedAt = performance.now();
        await endBackOffs(pool);
      }
      const served = await assignWaitingJobs(pool, { callbackBaseUrl, limits, holder });
      if ((served !== null) !== isAtWork) log.info(served === null ? 'Stands by: another orchestrator assigns jobs' : 'Assigns jobs');
      isAtWork = served !== null;
      const waited = (served ?? []).filter(({ hasOwner }) => hasOwner);
      for (const assignment of waited) {
        const told = hints.runExclusive(async () => await tell(assignment)).finally(() => telling.delete(told));
        telling.add(told);
      }
      isOutageLogged = false;
    } catch (error) {
      if (!isOutageLogged) log.warn('Waiting jobs cannot be assigned, which is tried again and again', { error });
      isOutageLogged = true;
    }
  };

  const listener = createListener({
    directUrl,
    channels: [assignChannel],
    onPoll: run,
    pollEveryMs: limits.assignEveryMs,
    log,
    applicationName: 'yardmaster-assigner-listen',
  });
  return {
    isListening: listener.isListening,
    async close() {
      await listener.close();
      if (isAtWork) await releaseAssigner(pool, holder).catch((error: unknown) => log.info('The lease runs out by itself', { error }));
      await Promise.all(telling);
    },
  };
};

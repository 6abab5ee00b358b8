import { setTimeout as delay } from 'node:timers/promises';
import { createRowCommands, type RowCommandDeps } from '../activities/row-commands';
import { assignWaitingJobs } from '../src/db/assign';
import { assignChannel } from '../src/db/holds';
import { createListener, type Listener } from '../src/db/listen';
import { withTransaction } from '../src/db/pool';
import { isJobOfOurs, listRowCommands } from '../src/db/row-commands';

/** GH's channel: its payload is the id of the row that was resumed, a public one or an attempt's (ghosthands §6.1). */
const resumeChannel = 'gh_job_resume';

/**
 * What every orchestrator does on a notification of the database, on one connection, and polls for as well. A hold that ended frees workers that no end
 * of a job frees: the first one assigns. A resume that went around us is in a public row: the first one takes it out. A cancel there notifies nobody, so
 * that polling finds it.
 */
export const actOnNotify = (deps: RowCommandDeps & { directUrl: string | undefined; callbackBaseUrl: string }): Listener => {
  const { pool, log, limits, workflows, directUrl, callbackBaseUrl } = deps;
  const { take } = createRowCommands(deps);
  const closing = new AbortController();
  const handling = new Set<Promise<void>>();

  const assign = async (): Promise<void> => {
    try {
      const served = await withTransaction(pool, async (client) => await assignWaitingJobs(client, { callbackBaseUrl, limits }));
      await Promise.allSettled(served.map(async ({ jobId }) => await workflows.wake(jobId, 'assigned')));
    } catch (error) {
      log.warn('Waiting jobs could not be assigned, the next pass tries again', { error });
    }
  };

  const takeAll = async (): Promise<void> => {
    try {
      for (const { jobId, kinds } of await listRowCommands(pool, { rows: limits.sweepBatchRows }))
        for (const kind of kinds) await take(jobId, kind);
    } catch (error) {
      log.warn('Commands in public rows could not be read, the next poll tries again', { error });
    }
  };

  /** At once for what it carries, and again when GH's API has written its last statement, which holds its caller's notes. */
  const takeResume = async (payload: string): Promise<void> => {
    const jobId = payload.toLowerCase();
    try {
      if (!(await isJobOfOurs(pool, jobId))) return;
      await take(jobId, 'resume');
      await delay(limits.rowSettlesMs, undefined, { signal: closing.signal }).catch(() => undefined);
      await take(jobId, 'resume');
    } catch (error) {
      log.warn('A resume in a public row could not be looked up, the next poll tries again', { error });
    }
  };

  const listener = createListener({
    directUrl,
    channels: [assignChannel, resumeChannel],
    onNotify(channel, payload) {
      const acting = (channel === resumeChannel ? takeResume(payload) : assign()).finally(() => handling.delete(acting));
      handling.add(acting);
    },
    async onPoll() {
      await takeAll();
      await assign();
    },
    pollEveryMs: limits.degradedPollMs,
    log,
    applicationName: 'yardmaster-orchestrator-listen',
  });
  return {
    isListening: listener.isListening,
    async close() {
      closing.abort();
      await listener.close();
      await Promise.all(handling);
    },
  };
};

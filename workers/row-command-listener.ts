import { setTimeout as delay } from 'node:timers/promises';
import { createRowCommands, type RowCommandDeps } from '../activities/commands/row-commands';
import { createListener, type Listener } from '../src/db/listen';
import { isJobOfOurs, listRowCommands } from '../src/db/commands/row-commands';

/** GH's channel: its payload is the id of the row that was resumed, a public one or an attempt's (ghosthands §6.1). */
const resumeChannel = 'gh_job_resume';

/**
 * Every orchestrator hears of a resume that went around us and is in a public row: the first one takes it out. A cancel there notifies nobody, so that
 * polling finds it.
 */
export const listenForRowCommands = (deps: RowCommandDeps & { directUrl: string | undefined }): Listener => {
  const { pool, log, limits, directUrl } = deps;
  const { take } = createRowCommands(deps);
  const closing = new AbortController();
  const handling = new Set<Promise<void>>();

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
    channels: [resumeChannel],
    onNotify(_channel, payload) {
      const taking = takeResume(payload).finally(() => handling.delete(taking));
      handling.add(taking);
    },
    onPoll: takeAll,
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

import type { Pool } from 'pg';
import type { WorkflowsPort } from '../activities/deps';
import { limits } from '../src/contracts/limits';
import { assignWaitingJobs } from '../src/db/assign';
import { assignChannel } from '../src/db/holds';
import { createListener, type Listener } from '../src/db/listen';
import { withTransaction } from '../src/db/pool';
import type { Log } from '../src/log';

/** A hold that ended frees workers that no end of a job frees: every orchestrator hears of it, the first one assigns, and polling makes good. */
export const assignOnNotify = ({
  pool,
  log,
  workflows,
  directUrl,
  callbackBaseUrl,
}: {
  pool: Pool;
  log: Log;
  workflows: WorkflowsPort;
  directUrl: string | undefined;
  callbackBaseUrl: string;
}): Listener => {
  const assign = async (): Promise<void> => {
    try {
      const served = await withTransaction(pool, async (client) => await assignWaitingJobs(client, { callbackBaseUrl, limits }));
      await Promise.allSettled(served.map(async ({ jobId }) => await workflows.wake(jobId, 'assigned')));
    } catch (error) {
      log.warn('Waiting jobs could not be assigned, the next pass tries again', { error });
    }
  };
  return createListener({
    directUrl,
    channels: [assignChannel],
    onNotify: () => void assign(),
    onPoll: assign,
    pollEveryMs: limits.degradedPollMs,
    log,
    applicationName: 'yardmaster-orchestrator-listen',
  });
};

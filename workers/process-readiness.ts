import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { limits } from '../src/contracts/limits';
import { createReadiness, type Readiness } from '../src/db/readiness';
import type { Log } from '../src/log';

/** What /readyz on the metrics port says of a process that polls: it needs Temporal, and the database where it has one. */
export const processReadiness = (client: Client, { pool, log }: { pool: Pool | null; log: Log }): (() => Promise<Readiness>) =>
  createReadiness({ pool, limits, log, needsTemporal: true, checkTemporal: async () => await askTemporal(client) });

export const askTemporal = async (client: Client): Promise<unknown> =>
  await client.withDeadline(Date.now() + limits.temporalCallMs, async () => await client.connection.workflowService.getSystemInfo({}));

import type { Pool } from 'pg';
import type { Limits } from '../contracts/limits';
import { readFleetSummary, type FleetSummary } from '../db/fleet/fleet-summary';
import { createReadiness, type Readiness } from '../db/readiness';
import { shareRead } from '../db/shared-read';
import type { Log } from '../log';
import type { WorkflowsClient } from './workflows-client';

/** What is behind pages that anybody may ask for as often as he likes: each is read once for all of them. */
export interface SharedChecks {
  readReadiness: () => Promise<Readiness>;
  readFleetSummary: () => Promise<FleetSummary>;
}

export const createSharedChecks = ({
  pool,
  workflows,
  limits,
  log,
}: {
  pool: Pool;
  workflows: Pick<WorkflowsClient, 'check'>;
  limits: Limits;
  log: Log;
}): SharedChecks => ({
  // Without Temporal a job is accepted with 202: not a reason to give it to nobody.
  readReadiness: createReadiness({ pool, checkTemporal: workflows.check, limits, needsTemporal: false, log }),
  readFleetSummary: shareRead(async () => await readFleetSummary(pool, limits), {
    keptMs: limits.readinessKeptMs,
    timeoutMs: limits.probeTimeoutMs,
  }),
});

import { ActivityFailure, ApplicationFailure, isCancellation, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { CallbackActivities } from '../activities/callbacks';
import type { JobActivities } from '../activities/jobs';
import type { OwnerActivities } from '../activities/owner';
import type { SweepActivities } from '../activities/sweep';
import type { JobView } from '../src/contracts/job';

/** A statement or two in Postgres: run beside the workflow task, which costs next to nothing (1.01 × a bare start → activity was measured). */
const localJobs = proxyLocalActivities<JobActivities>({
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 3, initialInterval: '100 milliseconds' },
});

/** The same steps when Postgres does not answer in that time: retried for as long as it is away, since every step may run any number of times. */
const patientJobs = proxyActivities<JobActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});

type Steps = { [Name in keyof JobActivities]: { executeWithOptions(options: { summary: string }, args: [unknown]): Promise<JobView> } };

/** One step of a job: local first, then as a regular activity until it passes. A permanent failure is not repeated. */
export const takeStep = async <Name extends keyof JobActivities>(
  name: Name,
  input: Parameters<JobActivities[Name]>[0],
  summary: string,
): Promise<JobView> => {
  try {
    return await (localJobs as unknown as Steps)[name].executeWithOptions({ summary }, [input]);
  } catch (error) {
    if (isCancellation(error) || isPermanent(error)) throw error;
    return await (patientJobs as unknown as Steps)[name].executeWithOptions({ summary }, [input]);
  }
};

/** Probes a host twice, a second apart. Repeated by the workflow with fresh eyes, not by the server with old ones. */
export const { examineOwner } = proxyActivities<OwnerActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { maximumAttempts: 2 },
  summary: 'Is the process that has this job still there?',
});

/** Delivers what is due, in order, under a lease: a second run while the first still sends finds the lease taken and comes back. */
export const { deliverDueCallbacks } = proxyActivities<CallbackActivities>({
  startToCloseTimeout: '60 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
  summary: 'Callbacks to the product, in order',
});

/** One pass over the fleet: a late one is worth less than the next one, so it is not retried. */
export const { sweepFleet } = proxyActivities<SweepActivities>({
  startToCloseTimeout: '90 seconds',
  heartbeatTimeout: '30 seconds',
  retry: { maximumAttempts: 1 },
  summary: 'Probe the hosts, find what hints have missed',
});

const isPermanent = (error: unknown): boolean =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.nonRetryable === true;

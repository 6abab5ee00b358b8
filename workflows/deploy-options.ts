import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { DeployActivities } from '../activities/deploys/deploys';
import type { DestinationActivities } from '../activities/deploys/destinations';

/** A statement or two in Postgres: repeated for as long as it is away. */
export const { openDeploy, noteDeployWord, noteDeployFailure } = proxyActivities<DeployActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});

/**
 * Steps that run Kamal, or wait for jobs. Each looks at the hosts before it acts, so that another attempt goes on where a killed deployer stopped; the
 * heartbeat bounds how long that takes to be noticed. A cancel waits until the step has ended its child, or what it left would still run during the
 * compensation. Forward, a step that cannot be done in thirty attempts turns the deploy around.
 */
const stepOptions = {
  startToCloseTimeout: '13 hours',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

export const forward = proxyActivities<DeployActivities>({
  ...stepOptions,
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds', maximumAttempts: 30 },
});

/** The way back and the release are tried until they are done: nobody else would. */
export const back = proxyActivities<DeployActivities>({
  ...stepOptions,
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/** Somebody waits for the answer: a deployer that is away shows by the caller's deadline, not by a queue of old questions. */
export const { readDestination } = proxyActivities<DestinationActivities>({
  startToCloseTimeout: '60 seconds',
  scheduleToCloseTimeout: '90 seconds',
  heartbeatTimeout: '10 seconds',
  retry: { maximumAttempts: 2 },
  summary: 'Look at the destination',
});

/** A person's act, once: what came of it is known by looking at the lock again. */
export const { breakLock } = proxyActivities<DestinationActivities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { maximumAttempts: 3 },
  summary: "Break Kamal's lock",
});

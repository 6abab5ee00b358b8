import { ActivityFailure, ApplicationFailure, isCancellation, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { CallbackActivities } from '../activities/jobs/callbacks';
import type { CancelActivities } from '../activities/commands/cancel';
import type { JobActivities } from '../activities/jobs/jobs';
import type { OwnerActivities } from '../activities/jobs/owner';
import type { RecycleActivities } from '../activities/fleet/recycle';
import type { ResumeActivities } from '../activities/commands/resume';
import type { SweepActivities } from '../activities/sweep/sweep';
import type { WorkerActActivities } from '../activities/fleet/worker-acts';
import { failureTypes } from '../src/contracts/errors';
import { taskQueues } from '../src/contracts/messages';

/** Every step that is a statement or two in Postgres and may run any number of times. */
type Steps = JobActivities & CancelSteps & ResumeSteps & WorkerActSteps;
type CancelSteps = Omit<CancelActivities, 'stopAttempt' | 'proveStopped' | 'tellJob'>;
type ResumeSteps = Omit<ResumeActivities, 'deliverResume'>;
type WorkerActSteps = Pick<WorkerActActivities, 'openDrain' | 'endDrain' | 'openRecycle' | 'endRecycle'>;

/** Run beside the workflow task, which costs next to nothing (1.01 × a bare start → activity was measured). */
const local = proxyLocalActivities<Steps>({
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 3, initialInterval: '100 milliseconds' },
});

/** The same steps when Postgres does not answer in that time: retried for as long as it is away. */
const patient = proxyActivities<Steps>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});

type Input<Name extends keyof Steps> = Parameters<Steps[Name]>[0];
type Output<Name extends keyof Steps> = Awaited<ReturnType<Steps[Name]>>;
type Callable = { executeWithOptions(options: { summary: string }, args: [unknown]): Promise<unknown> };

/** One step: local first, then as a regular activity until it passes. A permanent failure is not repeated. */
export const takeStep = async <Name extends keyof Steps>(name: Name, input: Input<Name>, summary: string): Promise<Output<Name>> => {
  const run = async (steps: object): Promise<Output<Name>> =>
    (await (steps as Record<Name, Callable>)[name].executeWithOptions({ summary }, [input])) as Output<Name>;
  try {
    return await run(local);
  } catch (error) {
    if (isCancellation(error) || permanent(error) !== null) throw error;
    return await run(patient);
  }
};

/** Both end a process for certain and look for the proof, up to 4 s each; a second run does no harm, it ends what is still there and looks again. */
export const { stopAttempt, proveStopped } = proxyActivities<CancelActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Stop the worker, prove that its process is gone',
});

/** A signal to the job, which is started over its row where no workflow runs. */
export const { tellJob } = proxyActivities<CancelActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Tell the job',
});

/** Holds a secret for the length of one statement, so it is a regular activity: nothing of it comes near the history. */
export const { deliverResume } = proxyActivities<ResumeActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  summary: 'Resume the worker that waits',
});

/**
 * Runs the configured command on the deployer. A deployer that is away must not hold up a cancel, and a recycle that failed is tried again by the
 * cancel itself, with fresh eyes.
 */
export const { recycleWorker } = proxyActivities<RecycleActivities>({
  taskQueue: taskQueues.deploy,
  scheduleToStartTimeout: '10 seconds',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { maximumAttempts: 1 },
  summary: 'Recycle the worker',
});

/** Answers with what the deployer knows; one that is away must not hold up the sweep. */
export const { readRecycleReadiness } = proxyActivities<RecycleActivities>({
  taskQueue: taskQueues.deploy,
  scheduleToStartTimeout: '5 seconds',
  startToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 1 },
  summary: 'Can the deployer recycle a worker?',
});

export const { noteRecycleReadiness } = proxyActivities<SweepActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { maximumAttempts: 3 },
  summary: 'Keep its answer',
});

/** Probe a worker's port; for `proveRecycled` up to 4 s long. */
export const { lookAtDrain, inspectLeftProcess, lookBeforeRecycle, proveRecycled } = proxyActivities<WorkerActActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
  summary: 'Look at the worker',
});

/** As long as GH needs for its start; a second run waits for the same process. */
export const { awaitFreshWorker } = proxyActivities<WorkerActActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
  summary: 'The next process answers',
});

/** Probes a host twice, a second apart. Each try reads the rows anew; orchestrators that die with it one after the other must not fail the job's workflow. */
export const { examineOwner } = proxyActivities<OwnerActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '5 seconds' },
  summary: 'Is the process that has this job still there?',
});

/** Delivers what is due, in order, under a lease: a second run while the first still sends finds the lease taken and comes back. */
export const { deliverDueCallbacks } = proxyActivities<CallbackActivities>({
  startToCloseTimeout: '60 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
  summary: 'Callbacks to the product, in order',
});

/** One pass over the fleet. One that gets no connection begins again soon; beyond that a late one is worth less than the next one. */
export const { sweepFleet } = proxyActivities<SweepActivities>({
  scheduleToCloseTimeout: '90 seconds',
  heartbeatTimeout: '30 seconds',
  retry: { maximumAttempts: 3, initialInterval: '1 second' },
  summary: 'Probe the hosts, find what hints have missed',
});

const permanent = (error: unknown): ApplicationFailure | null =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.nonRetryable === true ? error.cause : null;

/**
 * Why a message of a person could not be carried out, ever; null for everything else. It is that message's misfortune, and neither ends nor holds up the
 * story that it came to. What says that there is no story any more is no refusal.
 */
export const whyRefused = (error: unknown): string | null => {
  const failure = permanent(error);
  return failure === null || endsTheStory.has(failure.type ?? '') ? null : failure.message;
};

const endsTheStory: ReadonlySet<string> = new Set([failureTypes.notOwner, failureTypes.jobNotFound, failureTypes.deployNotFound]);

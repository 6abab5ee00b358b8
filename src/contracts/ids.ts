/** Every workflow and schedule id is made, and parsed, here. */

export const makeApplyJobId = ({ jobId }: { jobId: string }): string => `apply-job-${jobId}`;

export const makeDeliverCallbacksId = ({ jobId, generation }: { jobId: string; generation: number }): string =>
  `deliver-callbacks-${jobId}-${generation}`;

export const makeCancelJobId = ({ jobId }: { jobId: string }): string => `cancel-job-${jobId}`;

export const makeResumeJobId = ({ jobId }: { jobId: string }): string => `resume-job-${jobId}`;

/** One drain of a worker at a time; a second one joins it. */
export const makeDrainWorkerId = ({ workerId }: { workerId: string }): string => `drain-worker-${workerId}`;

export const makeRecycleWorkerId = ({ workerId }: { workerId: string }): string => `recycle-worker-${workerId}`;

/** The one schedule of the control plane; its workflows are `worker-cleanup-<time>`. */
export const workerCleanupScheduleId = 'worker-cleanup';

/** A dry run of a pass, asked for by a person; a second one joins the first. */
export const dryRunSweepId = 'worker-cleanup-dry-run';

/** Ids and names that others make: a worker's, a destination's. Part of the contract: a history that took one takes it for ever. */
export const nameCharsMax = 255;

/** As Postgres writes and reads one. */
export const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const applyJobIdPattern = /^apply-job-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** The job of an apply-job workflow, or null for the id of anything else. */
export const parseApplyJobId = (workflowId: string): { jobId: string } | null => {
  const jobId = applyJobIdPattern.exec(workflowId)?.[1];
  return jobId === undefined ? null : { jobId };
};

/** One deploy of a service and destination at a time: the id is the mutex. */
export const makeKamalDeployId = ({ service, destination }: { service: string; destination: string }): string =>
  `kamal-deploy-${service}-${destination}`;

/** Inspections of the same thing join each other; what a version means is one question for each version. */
export const makeLookAtDestinationId = ({ destination, want, version }: { destination: string; want: string; version?: string }): string =>
  ['look-at-destination', destination, want, ...(version === undefined ? [] : [version])].join('-');

export const makeBreakDeployLockId = ({ destination }: { destination: string }): string => `break-deploy-lock-${destination}`;

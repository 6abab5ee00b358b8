import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { makeApplyJobId } from '../contracts/ids';
import { limits } from '../contracts/limits';
import { searchAttributes, taskQueues, wakeSignal, workflowNames, type ApplyJobInput, type WakeSignal } from '../contracts/messages';

/** `ended`: the workflow of this job is over. `unreachable`: nobody knows; the row stays the promise, and the sweep starts what has no workflow. */
export type StartedApplyJob = { kind: 'started' } | { kind: 'ended' } | { kind: 'unreachable'; error: unknown };

export interface ApplyJobStart extends ApplyJobInput {
  userId: string;
  requestId: string;
  /** The state that the list of workflows shows until the workflow says more. */
  state?: string;
}

/** The one start policy of gateway and sweep: join the one that runs, start anew only after a failure. */
const applyJobStartPolicy = {
  workflowIdConflictPolicy: 'USE_EXISTING',
  workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
} as const;

/** Never waits longer than the deadline and never throws: an outage of Temporal is an answer. */
export async function startApplyJob(
  client: Client,
  { jobId, userId, requestId, state = 'accepted' }: ApplyJobStart,
  {
    deadlineMs = limits.temporalCallMs,
    taskQueue = taskQueues.orchestrator,
    isNewGeneration = false,
  }: { deadlineMs?: number; taskQueue?: string; isNewGeneration?: boolean } = {},
): Promise<StartedApplyJob> {
  try {
    await client.withDeadline(Date.now() + deadlineMs, () =>
      client.workflow.start(workflowNames.applyJob, {
        workflowId: makeApplyJobId({ jobId }),
        taskQueue,
        args: [{ jobId } satisfies ApplyJobInput],
        ...applyJobStartPolicy,
        // The run of the last generation completed, so that the ordinary policy would take the job for done.
        ...(isNewGeneration ? { workflowIdReusePolicy: 'ALLOW_DUPLICATE' } : {}),
        typedSearchAttributes: [
          { key: searchAttributes.state, value: state },
          { key: searchAttributes.userId, value: userId },
        ],
        memo: { requestId },
        staticSummary: `Job ${jobId}`,
      }),
    );
    return { kind: 'started' };
  } catch (error) {
    return error instanceof WorkflowExecutionAlreadyStartedError ? { kind: 'ended' } : { kind: 'unreachable', error };
  }
}

/** A hint, so it never throws: false when no workflow was there to hear it or Temporal is away, which the sweep makes good. */
export async function wakeApplyJob(
  client: Client,
  { jobId, ...wake }: { jobId: string } & WakeSignal,
  { deadlineMs = limits.temporalCallMs }: { deadlineMs?: number } = {},
): Promise<boolean> {
  const signalled = client.withDeadline(Date.now() + deadlineMs, () =>
    client.workflow.getHandle(makeApplyJobId({ jobId })).signal(wakeSignal, wake),
  );
  return await signalled.then(
    () => true,
    () => false,
  );
}

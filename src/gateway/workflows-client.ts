import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import { makeDeliverCallbacksId, workerCleanupScheduleId } from '../contracts/ids';
import { taskQueues, workflowNames, type DeliverCallbacksInput } from '../contracts/messages';
import { startApplyJob, wakeApplyJob, type ApplyJobStart, type StartedApplyJob } from '../temporal';

/** What the gateway asks of Temporal. No call outlasts the deadline: rows are the promise, and the sweep starts what has no workflow. */
export interface WorkflowsClient {
  startApplyJob(job: ApplyJobStart): Promise<StartedApplyJob>;
  /** False when nothing heard it. */
  wakeApplyJob(jobId: string, reason: string): Promise<boolean>;
  deliverCallbacks(callbacks: DeliverCallbacksInput): Promise<void>;
  /** The next sweep at once instead of in ten seconds. */
  sweepNow(): Promise<void>;
  check(): Promise<void>;
}

export const createWorkflowsClient = (
  client: Client,
  { deadlineMs, taskQueue = taskQueues.orchestrator }: { deadlineMs: number; taskQueue?: string },
): WorkflowsClient => {
  const soon = async <Result>(call: () => Promise<Result>): Promise<Result> => await client.withDeadline(Date.now() + deadlineMs, call);

  return {
    startApplyJob: async (job) => await startApplyJob(client, job, { deadlineMs, taskQueue }),
    wakeApplyJob: async (jobId, reason) => await wakeApplyJob(client, { jobId, reason }, { deadlineMs }),
    async deliverCallbacks(callbacks) {
      await soon(() =>
        client.workflow.start(workflowNames.deliverCallbacks, {
          workflowId: makeDeliverCallbacksId(callbacks),
          taskQueue,
          args: [callbacks],
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          staticSummary: `Callbacks of job ${callbacks.jobId} up to generation ${callbacks.generation}`,
        }),
      );
    },
    async sweepNow() {
      await soon(() => client.schedule.getHandle(workerCleanupScheduleId).trigger());
    },
    async check() {
      await soon(() => client.workflowService.describeNamespace({ namespace: client.options.namespace }));
    },
  };
};

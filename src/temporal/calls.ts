import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client, type SignalDefinition } from '@temporalio/client';
import { makeApplyJobId } from '../contracts/ids';
import { workflowNames } from '../contracts/messages';

/** What gateway and orchestrator ask of Temporal is made of these. None outlasts the deadline, and each throws what went wrong. */
export interface Calls {
  soon<Result>(call: () => Promise<Result>): Promise<Result>;
  /** Where one of that id runs nothing happens; one that is over, however it ended, is started anew. */
  startOrJoin(type: string, workflow: { workflowId: string; args: [object]; staticSummary: string; taskQueue?: string }): Promise<void>;
  /** Starts the workflow of a job over whatever its row says where none runs: it reads the row before the signal. */
  signalJob<Payload>(jobId: string, signal: SignalDefinition<[Payload]>, payload: Payload, takenUpBy: string): Promise<void>;
}

export const createCalls = (client: Client, { deadlineMs, taskQueue }: { deadlineMs: number; taskQueue: string }): Calls => {
  const soon = async <Result>(call: () => Promise<Result>): Promise<Result> => await client.withDeadline(Date.now() + deadlineMs, call);
  const joining = {
    taskQueue,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  } as const;
  return {
    soon,
    async startOrJoin(type, workflow) {
      await soon(async () => await client.workflow.start(type, { ...joining, ...workflow }));
    },
    async signalJob(jobId, signal, payload, takenUpBy) {
      await soon(
        async () =>
          await client.workflow.signalWithStart(workflowNames.applyJob, {
            ...joining,
            workflowId: makeApplyJobId({ jobId }),
            args: [{ jobId }],
            signal,
            signalArgs: [payload],
            staticSummary: `Job ${jobId}, taken up by ${takenUpBy}`,
          }),
      );
    },
  };
};

import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { WorkflowsPort } from '../activities/deps';
import {
  makeApplyJobId,
  makeCancelJobId,
  makeDeliverCallbacksId,
  makeKamalDeployId,
  makeRecycleWorkerId,
  makeResumeJobId,
  parseApplyJobId,
} from '../src/contracts/ids';
import {
  releaseActor,
  resolveSignal,
  retrySignal,
  taskQueues,
  wakeSignal,
  workflowNames,
  type RecycleWorkerInput,
  type ResolveSignal,
  type RetrySignal,
  type WakeSignal,
} from '../src/contracts/messages';
import { createCalls } from '../src/temporal/calls';

/** How many aborted workflows one pass looks at; the next pass finds the rest. */
const abortedListMax = 500;
const runningListMax = 5_000;
/** Each is an alarm: more of them say no more. */
const stuckListMax = 100;

/** Set by the server when a task has failed several times in a row, and taken away when one succeeds (Temporal 1.30). */
const reportedProblems = 'TemporalReportedProblems';

/** What activities ask of Temporal, on the worker's own connection. */
export const createWorkflowsPort = (
  client: Client,
  { deadlineMs, taskQueue = taskQueues.orchestrator }: { deadlineMs: number; taskQueue?: string },
): WorkflowsPort => {
  const { soon, startOrJoin, signalJob } = createCalls(client, { deadlineMs, taskQueue });

  const listJobs = async (query: string, max: number): Promise<string[]> => {
    const jobIds: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query, pageSize: Math.min(max, 1_000) })) {
      const parsed = parseApplyJobId(workflowId);
      if (parsed !== null) jobIds.push(parsed.jobId);
      if (jobIds.length >= max) break;
    }
    return jobIds;
  };

  return {
    async wake(jobId, reason) {
      const wake: WakeSignal = { reason };
      await soon(async () => {
        await client.workflow.getHandle(makeApplyJobId({ jobId })).signal(wakeSignal, wake);
      }).catch(ignoreIf(WorkflowNotFoundError));
    },

    async ensureApplyJob(jobId, wake) {
      // Whoever calls this has seen a live row: where the last run completed, a generation was opened that nobody works on.
      await signalJob(jobId, wakeSignal, wake, 'the sweep').catch(ignoreIf(WorkflowExecutionAlreadyStartedError));
    },

    async ensureCommand({ kind, jobId }) {
      await startOrJoin(kind === 'cancel' ? workflowNames.cancelJob : workflowNames.resumeJob, {
        workflowId: kind === 'cancel' ? makeCancelJobId({ jobId }) : makeResumeJobId({ jobId }),
        args: [{ jobId, source: 'sweep' }],
        staticSummary: `${kind} of job ${jobId}, taken up by the sweep`,
      });
    },

    async repeatMessage({ jobId, generation, kind, actor, submitted, note }) {
      const resolve: ResolveSignal = { submitted, actor, generation, ...(note === null ? {} : { note }) };
      const retry: RetrySignal = { confirm: true, actor, generation };
      const by = "a person's message";
      await (kind === 'resolve' ? signalJob(jobId, resolveSignal, resolve, by) : signalJob(jobId, retrySignal, retry, by));
    },

    async ensureRecycleWorker({ workerId, attemptId }) {
      const input: RecycleWorkerInput = { workerId, attemptId, actor: releaseActor, source: 'sweep' };
      await startOrJoin(workflowNames.recycleWorker, {
        workflowId: makeRecycleWorkerId({ workerId }),
        args: [input],
        staticSummary: `Recycle of worker ${workerId}, whose process a job has left behind`,
      });
    },

    async ensureDeliverCallbacks(jobId, generation) {
      await startOrJoin(workflowNames.deliverCallbacks, {
        workflowId: makeDeliverCallbacksId({ jobId, generation }),
        args: [{ jobId, generation }],
        staticSummary: `Callbacks of job ${jobId} up to generation ${generation}`,
      });
    },

    async ensureKamalDeploy({ deployId, service, destination, version }) {
      await startOrJoin(workflowNames.kamalDeploy, {
        workflowId: makeKamalDeployId({ service, destination }),
        taskQueue: taskQueues.deploy,
        args: [{ deployId, destination, version, source: 'sweep' }],
        staticSummary: `Deploy of ${version} to ${destination}, taken up by the sweep`,
      });
    },

    async isKamalDeployRunning(destination) {
      return await soon(async () => await client.workflow.getHandle(makeKamalDeployId(destination)).describe()).then(
        ({ status }) => status.name === 'RUNNING',
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        },
      );
    },

    async listAbortedApplyJobs(since) {
      return await listJobs(
        `WorkflowType = '${workflowNames.applyJob}' AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut') AND CloseTime > '${since.toISOString()}'`,
        abortedListMax,
      );
    },

    async listRunningApplyJobs({ moreThan }) {
      const query = `WorkflowType = '${workflowNames.applyJob}' AND ExecutionStatus = 'Running'`;
      const { count } = await soon(async () => await client.workflow.count(query));
      return count > moreThan ? await listJobs(query, runningListMax) : [];
    },

    async listStuckWorkflows() {
      const types = Object.values(workflowNames).map((name) => `'${name}'`);
      const query = `ExecutionStatus = 'Running' AND ${reportedProblems} IS NOT NULL AND WorkflowType IN (${types.join(', ')})`;
      return await soon(async () => {
        const stuck: { workflowId: string; problem: string }[] = [];
        for await (const { workflowId, searchAttributes } of client.workflow.list({ query, pageSize: stuckListMax })) {
          stuck.push({ workflowId, problem: (searchAttributes[reportedProblems] ?? []).join(', ') });
          if (stuck.length >= stuckListMax) break;
        }
        return stuck;
      });
    },
  };
};

const ignoreIf =
  (expected: new (...args: never[]) => Error) =>
  (error: unknown): void => {
    if (!(error instanceof expected)) throw error;
  };

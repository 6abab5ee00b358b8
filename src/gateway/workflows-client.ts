import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  type Client,
} from '@temporalio/client';
import { E_TIMEOUT, Semaphore, withTimeout } from 'async-mutex';
import {
  dryRunSweepId,
  makeCancelJobId,
  makeDeliverCallbacksId,
  makeDrainWorkerId,
  makeRecycleWorkerId,
  makeResumeJobId,
  workerCleanupScheduleId,
} from '../contracts/ids';
import {
  resolveSignal,
  retrySignal,
  taskQueues,
  wakeSignal,
  workflowNames,
  type CancelJobInput,
  type DeliverCallbacksInput,
  type DrainWorkerInput,
  type RecycleWorkerInput,
  type ResolveSignal,
  type ResumeJobInput,
  type RetrySignal,
} from '../contracts/messages';
import { limits } from '../contracts/limits';
import type { SweepReport, SweepRequest } from '../contracts/sweep';
import { createCalls } from '../temporal/calls';
import { startApplyJob, wakeApplyJob, type ApplyJobStart, type StartedApplyJob } from '../temporal/apply-job';

/** `behind`: Temporal has enough to do with those before it. */
export type SubmittedStart = StartedApplyJob | { kind: 'behind' };

/** `unreachable`: nobody knows; the row is the promise, and the sweep starts what has no workflow. */
export type StartedCommand = { kind: 'started' } | { kind: 'already_running' } | { kind: 'unreachable'; error: unknown };

/** What the gateway asks of Temporal. No call outlasts the deadline: rows are the promise, and the sweep starts what has no workflow. */
export interface WorkflowsClient {
  startApplyJob(job: ApplyJobStart): Promise<SubmittedStart>;
  /** For the next generation of a job whose last run has completed. */
  startNextGeneration(job: ApplyJobStart): Promise<StartedApplyJob>;
  /** A second cancel of a job joins the first. */
  startCancelJob(input: CancelJobInput): Promise<StartedCommand>;
  /** A second resume of a job is another one, and finds the first still there. */
  startResumeJob(input: ResumeJobInput): Promise<StartedCommand>;
  /** A second one joins the first. */
  startDrainWorker(input: DrainWorkerInput): Promise<StartedCommand>;
  startRecycleWorker(input: RecycleWorkerInput): Promise<StartedCommand>;
  /** A person's signal to a job; its workflow is started where it is missing. */
  retryUncertainJob(jobId: string, payload: RetrySignal): Promise<StartedCommand>;
  resolveJob(jobId: string, payload: ResolveSignal): Promise<StartedCommand>;
  /** False when nothing heard it. Where no workflow has the job yet (`hasOwner`), it is started as well. */
  wakeApplyJob(jobId: string, reason: string, options?: { hasOwner?: boolean }): Promise<boolean>;
  /** The job looks whether its worker's process still lives, whatever the rows say; false when nothing heard it. */
  examineOwner(jobId: string, reason: string): Promise<boolean>;
  deliverCallbacks(callbacks: DeliverCallbacksInput): Promise<void>;
  /** The next sweep at once instead of in ten seconds. */
  sweepNow(): Promise<void>;
  /** A dry run of a pass; a second one joins the first. Null when it has no report yet after that time. */
  dryRunSweep(options: { waitMs: number }): Promise<SweepReport | null>;
  check(): Promise<void>;
}

export const createWorkflowsClient = (
  client: Client,
  { deadlineMs, taskQueue = taskQueues.orchestrator }: { deadlineMs: number; taskQueue?: string },
): WorkflowsClient => {
  const starts = withTimeout(new Semaphore(limits.startsAtOnce), deadlineMs / 8);
  const { soon, startOrJoin, signalJob } = createCalls(client, { deadlineMs, taskQueue });

  const attempt = async (call: () => Promise<unknown>): Promise<StartedCommand> => {
    try {
      await call();
      return { kind: 'started' };
    } catch (error) {
      return error instanceof WorkflowExecutionAlreadyStartedError ? { kind: 'already_running' } : { kind: 'unreachable', error };
    }
  };

  return {
    async startApplyJob(job) {
      const deadlineAt = Date.now() + deadlineMs;
      try {
        return await starts.runExclusive(async () => await startApplyJob(client, job, { deadlineMs: deadlineAt - Date.now(), taskQueue }));
      } catch (error) {
        // So that whoever waits for its turn is not behind when the rest is.
        if (error === E_TIMEOUT) return { kind: 'behind' };
        throw error;
      }
    },
    startNextGeneration: async (job) => await startApplyJob(client, job, { deadlineMs, taskQueue, isNewGeneration: true }),
    startCancelJob: async (input) =>
      await attempt(() =>
        startOrJoin(workflowNames.cancelJob, {
          workflowId: makeCancelJobId(input),
          args: [input],
          staticSummary: `Cancel of job ${input.jobId}`,
        }),
      ),
    startResumeJob: async (input) =>
      await attempt(() =>
        soon(() =>
          client.workflow.start(workflowNames.resumeJob, {
            workflowId: makeResumeJobId(input),
            taskQueue,
            args: [input],
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            staticSummary: `Resume of job ${input.jobId}`,
          }),
        ),
      ),
    startDrainWorker: async (input) =>
      await attempt(() =>
        startOrJoin(workflowNames.drainWorker, {
          workflowId: makeDrainWorkerId(input),
          args: [input],
          staticSummary: `Drain of worker ${input.workerId}`,
        }),
      ),
    startRecycleWorker: async (input) =>
      await attempt(() =>
        startOrJoin(workflowNames.recycleWorker, {
          workflowId: makeRecycleWorkerId(input),
          args: [input],
          staticSummary: `Recycle of worker ${input.workerId}`,
        }),
      ),
    retryUncertainJob: async (jobId, payload) => await attempt(() => signalJob(jobId, retrySignal, payload, aPerson)),
    resolveJob: async (jobId, payload) => await attempt(() => signalJob(jobId, resolveSignal, payload, aPerson)),
    wakeApplyJob: async (jobId, reason, { hasOwner = true } = {}) =>
      hasOwner
        ? await wakeApplyJob(client, { jobId, reason }, { deadlineMs })
        : (await attempt(() => signalJob(jobId, wakeSignal, { reason }, 'a callback of its worker'))).kind !== 'unreachable',
    examineOwner: async (jobId, reason) => await wakeApplyJob(client, { jobId, reason, examineOwner: true }, { deadlineMs }),
    async deliverCallbacks(callbacks) {
      await startOrJoin(workflowNames.deliverCallbacks, {
        workflowId: makeDeliverCallbacksId(callbacks),
        args: [callbacks],
        staticSummary: `Callbacks of job ${callbacks.jobId} up to generation ${callbacks.generation}`,
      });
    },
    async sweepNow() {
      await soon(() => client.schedule.getHandle(workerCleanupScheduleId).trigger());
    },
    async dryRunSweep({ waitMs }) {
      const request: SweepRequest = { dryRun: true };
      const handle = await soon(() =>
        client.workflow.start(workflowNames.workerCleanup, {
          workflowId: dryRunSweepId,
          taskQueue,
          args: [request],
          workflowExecutionTimeout: '2 minutes',
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          staticSummary: 'What a pass over the fleet would do',
        }),
      );
      try {
        return await client.withDeadline(Date.now() + waitMs, async (): Promise<SweepReport> => await handle.result());
      } catch (error) {
        // A server whose clock is the faster one cuts the call: we never cancel one ourselves.
        if (isGrpcDeadlineError(error) || isGrpcCancelledError(error)) return null;
        throw error;
      }
    },
    async check() {
      await soon(() => client.workflowService.describeNamespace({ namespace: client.options.namespace }));
    },
  };
};

const aPerson = "a person's word";

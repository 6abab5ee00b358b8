import { setTimeout as delay } from 'node:timers/promises';
import {
  ApplicationFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type Client,
  type SignalDefinition,
  type WorkflowHandle,
} from '@temporalio/client';
import { failureTypes } from '../contracts/errors';
import { limits } from '../contracts/limits';
import { makeBreakDeployLockId, makeKamalDeployId, makeLookAtDestinationId } from '../contracts/ids';
import {
  approveSignal,
  cancelDeploySignal,
  rejectSignal,
  searchAttributes,
  taskQueues,
  workflowNames,
  type BreakDeployLockInput,
  type BreakDeployLockResult,
  type DeploySignal,
  type KamalDeployInput,
  type LookAtDestinationInput,
  type LookAtDestinationResult,
} from '../contracts/messages';
import { createCalls } from '../temporal/calls';

/**
 * `no_answer`: nobody polls the deployer's queue, or it did not come to an end in time; nothing happens later either. `under_way`: somebody else's act is.
 * `refused`: the deployer has answered, with what is wrong with the destination.
 */
export type DeployerAnswer<Result> =
  | { kind: 'answered'; answer: Result }
  | { kind: 'no_answer' }
  | { kind: 'under_way' }
  | { kind: 'refused'; message: string }
  | { kind: 'failed'; message: string }
  | { kind: 'unreachable'; error: unknown };

export type StartedDeploy = { kind: 'started' } | { kind: 'already_running' } | { kind: 'unreachable'; error: unknown };

/** `not_running`: no workflow runs under this id. */
export type SignalResult = { kind: 'sent' } | { kind: 'not_running' } | { kind: 'unreachable'; error: unknown };

export const deploySignals = { approve: approveSignal, reject: rejectSignal, cancel: cancelDeploySignal } as const;
export type DeploySignalName = keyof typeof deploySignals;

/** What the gateway asks of Temporal about deploys. No start outlasts the deadline, no inspection its own. */
export interface DeploysClient {
  startDeploy(deploy: KamalDeployInput & { service: string; deployId: string }): Promise<StartedDeploy>;
  signalDeploy(name: DeploySignalName, to: { service: string; destination: string }, message: DeploySignal): Promise<SignalResult>;
  inspect(input: LookAtDestinationInput, withinMs: number): Promise<DeployerAnswer<LookAtDestinationResult>>;
  breakLock(input: BreakDeployLockInput, withinMs: number): Promise<DeployerAnswer<BreakDeployLockResult>>;
}

export const createDeploysClient = (
  client: Client,
  {
    deadlineMs,
    takenMs = limits.deployerPickupMs,
    taskQueue = taskQueues.deploy,
  }: { deadlineMs: number; takenMs?: number; taskQueue?: string },
): DeploysClient => {
  const { soon } = createCalls(client, { deadlineMs, taskQueue });

  /** Nobody waits half a minute to be told that there is no deployer. Ended, it cannot happen later. */
  const endUnlessTaken = async (handle: WorkflowHandle, answered: AbortSignal): Promise<void> => {
    try {
      await delay(takenMs, undefined, { signal: answered });
      if ((await soon(() => handle.describe())).historyLength <= eventsUntaken)
        await soon(() => handle.terminate('no deployer has taken it'));
    } catch {
      // It was answered, or Temporal is away; its own time-out ends it then.
    }
  };

  /** Starts, or joins who asks the same, and waits. The time-out is the workflow's own, so that nothing runs when nobody waits any more. */
  const ask = async <Result>(
    workflow: { name: string; workflowId: string; summary: string; conflict: WorkflowIdConflictPolicy },
    input: object,
    withinMs: number,
  ): Promise<DeployerAnswer<Result>> => {
    try {
      const handle = await soon(() =>
        client.workflow.start(workflow.name, {
          workflowId: workflow.workflowId,
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: workflow.conflict,
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowExecutionTimeout: withinMs,
          staticSummary: workflow.summary,
        }),
      );
      const answered = new AbortController();
      void endUnlessTaken(handle, answered.signal);
      try {
        const answer: Result = await client.withDeadline(Date.now() + withinMs + deadlineMs, async () => await handle.result());
        return { kind: 'answered', answer };
      } finally {
        answered.abort();
      }
    } catch (error) {
      if (error instanceof WorkflowFailedError) {
        if (error.cause instanceof TimeoutFailure || error.cause instanceof TerminatedFailure) return { kind: 'no_answer' };
        const root = rootOf(error);
        const isRefused = root instanceof ApplicationFailure && root.type === failureTypes.invalidInput;
        return { kind: isRefused ? 'refused' : 'failed', message: root.message };
      }
      return error instanceof WorkflowExecutionAlreadyStartedError ? { kind: 'under_way' } : { kind: 'unreachable', error };
    }
  };

  return {
    async startDeploy({ service, ...input }) {
      const { destination, version, actor, kind = 'deploy' } = input;
      try {
        await soon(() =>
          client.workflow.start(workflowNames.kamalDeploy, {
            workflowId: makeKamalDeployId({ service, destination }),
            taskQueue,
            args: [input],
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            staticSummary: `${kind === 'rollback' ? 'Rollback' : 'Deploy'} of ${service} on ${destination} to ${version}`,
            typedSearchAttributes: [
              { key: searchAttributes.destination, value: destination },
              { key: searchAttributes.version, value: version },
              ...(actor === undefined ? [] : [{ key: searchAttributes.actor, value: actor }]),
            ],
          }),
        );
        return { kind: 'started' };
      } catch (error) {
        return error instanceof WorkflowExecutionAlreadyStartedError ? { kind: 'already_running' } : { kind: 'unreachable', error };
      }
    },

    async signalDeploy(name, to, message) {
      const signal: SignalDefinition<[DeploySignal]> = deploySignals[name];
      try {
        await soon(() => client.workflow.getHandle(makeKamalDeployId(to)).signal(signal, message));
        return { kind: 'sent' };
      } catch (error) {
        return error instanceof WorkflowNotFoundError ? { kind: 'not_running' } : { kind: 'unreachable', error };
      }
    },

    inspect: async (input, withinMs) =>
      await ask(
        {
          name: workflowNames.lookAtDestination,
          workflowId: makeLookAtDestinationId(input),
          summary: `A look at ${input.destination}: ${input.want}`,
          conflict: WorkflowIdConflictPolicy.USE_EXISTING,
        },
        input,
        withinMs,
      ),

    breakLock: async (input, withinMs) =>
      await ask(
        {
          name: workflowNames.breakDeployLock,
          workflowId: makeBreakDeployLockId(input),
          summary: `Kamal's lock of ${input.destination} is broken by hand`,
          conflict: WorkflowIdConflictPolicy.FAIL,
        },
        input,
        withinMs,
      ),
  };
};

/** That it was started, and that somebody should look at it. */
const eventsUntaken = 2;

/** The innermost failure is the one that says something. */
const rootOf = (error: Error): Error => (error.cause instanceof Error ? rootOf(error.cause) : error);

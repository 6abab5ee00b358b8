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
  type DestinationSeen,
  type KamalDeployInput,
  type LookAtDestinationInput,
} from '../contracts/messages';

/**
 * `no_answer`: nobody polls the deployer's queue, or it did not come to an end in time; nothing happens later either. `under_way`: somebody else's act is.
 * `refused`: the deployer has answered, with what is wrong with the destination.
 */
export type Looked<Result> =
  | { kind: 'seen'; seen: Result }
  | { kind: 'no_answer' }
  | { kind: 'under_way' }
  | { kind: 'refused'; message: string }
  | { kind: 'failed'; message: string }
  | { kind: 'unreachable'; error: unknown };

export type StartedDeploy = { kind: 'started' } | { kind: 'already_running' } | { kind: 'unreachable'; error: unknown };

/** `nobody_there`: no workflow runs under this id. */
export type Told = { kind: 'told' } | { kind: 'nobody_there' } | { kind: 'unreachable'; error: unknown };

export const deploySignals = { approve: approveSignal, reject: rejectSignal, cancel: cancelDeploySignal } as const;
export type DeployWord = keyof typeof deploySignals;

/** What the gateway asks of Temporal about deploys. No start outlasts the deadline, no look its own. */
export interface DeploysClient {
  startDeploy(deploy: KamalDeployInput & { service: string; deployId: string }): Promise<StartedDeploy>;
  tellDeploy(word: DeployWord, to: { service: string; destination: string }, message: DeploySignal): Promise<Told>;
  look(input: LookAtDestinationInput, withinMs: number): Promise<Looked<DestinationSeen>>;
  breakLock(input: BreakDeployLockInput, withinMs: number): Promise<Looked<BreakDeployLockResult>>;
}

export const createDeploysClient = (
  client: Client,
  { deadlineMs, takenMs = limits.lookTakenMs, taskQueue = taskQueues.deploy }: { deadlineMs: number; takenMs?: number; taskQueue?: string },
): DeploysClient => {
  const soon = async <Result>(call: () => Promise<Result>): Promise<Result> => await client.withDeadline(Date.now() + deadlineMs, call);

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
  ): Promise<Looked<Result>> => {
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
        const seen: Result = await client.withDeadline(Date.now() + withinMs + deadlineMs, async () => await handle.result());
        return { kind: 'seen', seen };
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

    async tellDeploy(word, to, message) {
      const signal: SignalDefinition<[DeploySignal]> = deploySignals[word];
      try {
        await soon(() => client.workflow.getHandle(makeKamalDeployId(to)).signal(signal, message));
        return { kind: 'told' };
      } catch (error) {
        return error instanceof WorkflowNotFoundError ? { kind: 'nobody_there' } : { kind: 'unreachable', error };
      }
    },

    look: async (input, withinMs) =>
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

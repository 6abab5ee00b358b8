import {
  isGrpcServiceError,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type OperatorService,
  type ScheduleOptions,
} from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes';
import { workerCleanupScheduleId } from '../contracts/ids';
import { limits } from '../contracts/limits';
import { searchAttributes, taskQueues, workflowNames } from '../contracts/messages';

const grpcAlreadyExists = 6;

/**
 * Registers what our workflows set, and answers the names that were new. Before anything polls: a workflow task that sets an unknown
 * attribute fails until somebody registers it.
 */
export async function ensureSearchAttributes(connection: { operatorService: OperatorService }, namespace: string): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributes).filter(({ name }) => !(name in customAttributes));
  if (missing.length === 0) return [];
  const wanted = missing.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0] as const);
  await connection.operatorService
    .addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(wanted) })
    .catch((error: unknown) => {
      // Another process was faster.
      const code: number | null = isGrpcServiceError(error) ? error.code : null;
      if (code !== grpcAlreadyExists) throw error;
    });
  return missing.map(({ name }) => name);
}

/**
 * Makes the schedule of the sweep where there is none, which is also after somebody deleted it, and brings it up to date where another release made it.
 * Otherwise it stays as a person left it: paused, or with another interval.
 */
export async function ensureWorkerCleanupSchedule(
  client: Client,
  { everyMs = limits.sweepEveryMs, taskQueue = taskQueues.orchestrator }: { everyMs?: number; taskQueue?: string } = {},
): Promise<'made' | 'updated' | 'kept'> {
  const definition = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: workflowNames.workerCleanup,
      workflowId: workerCleanupScheduleId,
      taskQueue,
      args: [{}],
      workflowExecutionTimeout: '2 minutes',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '60 seconds' },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>;
  // What it was made of goes with the action, where nobody edits it.
  const madeFrom = JSON.stringify(definition);
  const made = { ...definition, action: { ...definition.action, memo: { madeFrom } } };
  const handle = client.schedule.getHandle(workerCleanupScheduleId);
  try {
    if ((await handle.describe()).action.memo?.['madeFrom'] === madeFrom) return 'kept';
    await handle.update(({ state }) => ({ ...made, state }));
    return 'updated';
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  try {
    // The first pass probes the hosts, and nothing is assigned before: it does not wait for the first interval.
    await client.schedule.create({ scheduleId: workerCleanupScheduleId, ...made, state: { triggerImmediately: true } });
    return 'made';
  } catch (error) {
    // Another orchestrator was faster.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    return 'kept';
  }
}

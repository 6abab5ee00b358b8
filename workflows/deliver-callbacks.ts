import { continueAsNew, sleep, workflowInfo } from '@temporalio/workflow';
import type { DeliverCallbacksInput } from '../src/contracts/messages';
import { deliverDueCallbacks } from './options';

/**
 * Delivers what an ended job could not within its last seconds, until every callback up to its generation is settled: delivered,
 * superseded, refused, or given up after a day.
 */
export async function deliverCallbacks({ jobId, generation }: DeliverCallbacksInput): Promise<void> {
  for (;;) {
    const { nextInMs } = await deliverDueCallbacks({ jobId, generation });
    if (nextInMs === null) return;
    await sleep(nextInMs);
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof deliverCallbacks>({ jobId, generation });
  }
}

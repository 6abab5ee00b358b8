import { continueAsNew, sleep } from '@temporalio/workflow';
import type { DeliverCallbacksInput } from '../src/contracts/messages';
import { starts } from '../src/domain/workflow-inputs';
import { deliverDueCallbacks } from './options';
import { mustParse } from './steps/input';
import { isHistoryLong } from './steps/long-history';

/**
 * Delivers what an ended job could not within its last seconds, until every callback up to its generation is settled: delivered,
 * superseded, refused, or given up after a day.
 */
export async function deliverCallbacks(input: DeliverCallbacksInput): Promise<void> {
  const { jobId, generation } = mustParse(starts.deliverCallbacks, input);
  for (;;) {
    const { nextInMs } = await deliverDueCallbacks({ jobId, generation });
    if (nextInMs === null) return;
    await sleep(nextInMs);
    if (isHistoryLong()) await continueAsNew<typeof deliverCallbacks>({ jobId, generation });
  }
}

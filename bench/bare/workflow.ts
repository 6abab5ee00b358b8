import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type { BareActivities } from './activities';

export const hintSignal = defineSignal('hint');

const { doStep } = proxyActivities<BareActivities>({ startToCloseTimeout: '10 seconds' });

/** What anybody would write first: regular activities in a row, and a signal to wait for between every two of them. */
export async function bareJob({ jobId, steps }: { jobId: string; steps: number }): Promise<string> {
  let hints = 0;
  setHandler(hintSignal, () => {
    hints++;
  });
  let seen = '';
  for (let step = 1; step <= steps; step++) {
    seen = await doStep({ jobId, step });
    await condition(() => step === steps || hints >= step);
  }
  return seen;
}

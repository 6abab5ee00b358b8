import { condition, log, ParentClosePolicy, patched, startChild, WorkflowIdReusePolicy } from '@temporalio/workflow';
import { makeDeliverCallbacksId } from '../../src/contracts/ids';
import type { JobView } from '../../src/contracts/job';
import type { deliverCallbacks } from '../deliver-callbacks';
import { deliverDueCallbacks } from '../options';

export interface CallbackPump {
  /** Delivers beside the job until nothing is left; joins what already runs. A job that has moved may have a callback that waits for nothing. */
  start(job: Pick<JobView, 'generation' | 'state'>): void;
  isIdle(): boolean;
  /** Waits a while for the rest, then hands it to a workflow of its own, so that a dead receiver cannot keep an ended job open. */
  finish(generation: number, drainMs: number): Promise<void>;
}

export const createCallbackPump = (jobId: string): CallbackPump => {
  let isBusy = false;
  let isStopping = false;
  let wanted: number | null = null;
  let place = '';

  const pump = async (): Promise<void> => {
    while (wanted !== null && !isStopping) {
      const generation: number = wanted;
      const before = place;
      wanted = null;
      const { nextInMs } = await deliverDueCallbacks({ jobId, generation });
      if (nextInMs === null) continue;
      wanted ??= generation;
      const wakesForNews = patched('callbacks-wake-for-news');
      await condition(() => isStopping || (wakesForNews && place !== before), nextInMs, { summary: 'The next callback is due' });
    }
  };

  return {
    start({ generation, state }) {
      wanted = generation;
      place = `${generation} ${state}`;
      if (isBusy) return;
      isBusy = true;
      pump()
        // An activity that somebody failed by hand: the sweep finds what is not delivered. Unheard it would fail the workflow task for ever.
        .catch((error: unknown) => log.warn('Callbacks are left to the sweep', { jobId, error: String(error) }))
        .finally(() => {
          isBusy = false;
        });
    },
    isIdle: () => !isBusy,
    async finish(generation, drainMs) {
      if (await condition(() => !isBusy, drainMs, { summary: 'Deliver the last callbacks' })) return;
      isStopping = true;
      await condition(() => !isBusy);
      if (wanted === null) return;
      await startChild<typeof deliverCallbacks>('deliverCallbacks', {
        workflowId: makeDeliverCallbacksId({ jobId, generation }),
        args: [{ jobId, generation }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        staticSummary: `Callbacks of job ${jobId} up to generation ${generation}`,
      }).catch((error: unknown) => {
        // A person or the sweep was faster, and delivers the same rows; where nobody does, the sweep starts it later.
        log.info('The last callbacks are delivered by another workflow already', { jobId, error: String(error) });
      });
    },
  };
};

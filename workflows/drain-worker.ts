import { CancellationScope, isCancellation, setCurrentDetails, sleep } from '@temporalio/workflow';
import { limitsBeforeData } from '../src/contracts/limits';
import type { DrainWorkerInput } from '../src/contracts/messages';
import type { WorkerActView } from '../src/contracts/worker-act';
import { starts } from '../src/domain/workflow-inputs';
import { lookAtDrain, takeStep } from './options';
import { mustParse } from './steps/input';

/**
 * Keeps a worker from new jobs and waits for the one that it has. Never GH's own drain, which gives the job away after 30 s while it runs on, and
 * cannot be taken back (ghosthands §2.2). At the deadline it says what is still there; the hold stays until somebody releases the worker.
 */
export async function drainWorker(given: DrainWorkerInput): Promise<WorkerActView> {
  const input = mustParse(starts.drainWorker, given);
  const { workerId } = input;
  // Also for a cancel that comes before it: what the gateway has written by then would be open for ever.
  const opened = await CancellationScope.nonCancellable(async () => await takeStep('openDrain', input, 'Hold its host'));
  const { view, remainingMs } = opened;
  const { drainLookFirstMs, drainLookMaxMs } = { ...limitsBeforeData, ...opened.limits };
  const { actId } = view;
  const startedAt = Date.now();
  try {
    for (;;) {
      const { finding, jobId } = await lookAtDrain({ workerId });
      setCurrentDetails(finding.detail);
      const waitedMs = Date.now() - startedAt;
      if (finding.kind === 'over') {
        return await takeStep('endDrain', { workerId, actId, outcome: finding.outcome, detail: finding.detail, jobId }, finding.outcome);
      }
      if (waitedMs >= remainingMs) {
        return await takeStep('endDrain', { workerId, actId, outcome: 'deadline_passed', detail: finding.detail, jobId }, 'Not in time');
      }
      const pauseMs = Math.min(drainLookMaxMs, Math.max(drainLookFirstMs, waitedMs / 10));
      await sleep(Math.min(pauseMs, Math.max(1, remainingMs - waitedMs)), { summary: finding.detail });
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    const end = { workerId, actId, outcome: 'stopped', detail: 'The wait was cancelled; the worker is still held', jobId: null } as const;
    return await CancellationScope.nonCancellable(async () => await takeStep('endDrain', end, 'The wait was cancelled'));
  }
}

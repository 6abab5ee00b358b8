import { CancellationScope, patched, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { RecycleResult } from '../activities/fleet/recycle';
import type { RecycleWorkerInput } from '../src/contracts/messages';
import type { WorkerActOutcome, WorkerActView } from '../src/contracts/worker-act';
import { starts } from '../src/domain/workflow-inputs';
import {
  awaitFreshWorker,
  inspectLeftProcess,
  lookBeforeRecycle,
  proveRecycled,
  recycleWorker as runRecycleCommand,
  takeStep,
  tellJob,
} from './options';
import { mustParse } from './steps/input';

/**
 * Replaces a worker's process by a fresh one and proves it. A job that this interrupts is told what became of its process, and ends tried again or
 * uncertain by its own workflow. Once begun it is not cut off: the command may have hit by then. With an attempt, which a job has left behind, it does so only
 * while that one's process is still there; null: it was not.
 */
export async function recycleWorker(given: RecycleWorkerInput): Promise<WorkerActView | null> {
  return await CancellationScope.nonCancellable(async () => {
    const input = mustParse(starts.recycleWorker, given);
    const { workerId } = input;
    if (input.attemptId !== undefined && !(await isWanted(workerId, input.attemptId))) return null;
    const { view, refusal, target, interrupted } = await takeStep('openRecycle', input, 'Hold its host, look at its job');
    const end = async (outcome: WorkerActOutcome, detail: string): Promise<WorkerActView> => {
      setCurrentDetails(`**${outcome}**: ${detail}`);
      const jobId = interrupted?.jobId ?? null;
      const { host } = target;
      const ended = { workerId, actId: view.actId, outcome, detail, jobId, host, attemptId: input.attemptId };
      return await takeStep('endRecycle', ended, outcome);
    };
    if (refusal !== null) return await end('refused', refusal);

    const attemptId = interrupted?.attemptId ?? null;
    const before = target.host === null ? null : await lookBeforeRecycle({ host: target.host });
    const result = await runRecycleCommand({ ...target, attemptId }).catch((): RecycleResult => ({
      kind: 'failed',
      detail: 'no deployer took it in time, or it broke off',
    }));
    const proof = before === null || result.kind === 'not_configured' ? null : await proveRecycled({ target, attemptId, before });
    if (interrupted !== null && result.kind !== 'not_configured') await notifyInterrupted(interrupted, proof);

    if (proof === 'gone') {
      const { host } = target;
      const isFresh = host === null || !patched('await the fresh worker') || (await awaitFreshWorker({ host }));
      return await end('recycled', isFresh ? result.detail : `${result.detail}, and no other process answers yet`);
    }
    if (result.kind !== 'done') return await end(result.kind, result.detail);
    return await end('unproven', `${result.detail}, but the process that was there is not proven gone`);
  });
}

const isWanted = async (workerId: string, attemptId: string): Promise<boolean> => {
  for (;;) {
    const found = await inspectLeftProcess({ workerId, attemptId });
    if (found.kind !== 'settles') return found.kind === 'left' || found.isAsked;
    await sleep(found.afterMs, { summary: 'What it left behind may end by itself' });
  }
};

/** Proven, it may move at once; otherwise its owner is examined, and what nobody can prove becomes uncertain. */
const notifyInterrupted = async (
  { jobId, attemptId }: { jobId: string; attemptId: string },
  proof: 'gone' | 'idle' | null,
): Promise<void> => {
  const reason = 'worker_recycled';
  await tellJob({ jobId, wake: proof === null ? { reason, examineOwner: true } : { reason, stopped: { attemptId, proof } } });
};

import { allHandlersFinished, condition, continueAsNew, isCancellation, setHandler, workflowInfo } from '@temporalio/workflow';
import type { CancelPlan, Stopped } from '../activities/commands/cancel';
import type { CommandView, RouteTaken } from '../src/contracts/command';
import { limitsBeforeData } from '../src/contracts/limits';
import { commandQuery, jobMovedSignal, type CancelJobInput } from '../src/contracts/messages';
import { outcomes } from '../src/domain/command-outcome';
import { starts } from '../src/domain/workflow-inputs';
import { proveStopped, recycleWorker, stopAttempt, takeStep, tellJob } from './options';
import { mustParse } from './steps/input';
import { isHistoryLong } from './steps/long-history';
import { showCommand } from './steps/show-command';

/**
 * One cancel, until the job rests: the job is notified first (nothing of it is assigned any more), its worker is stopped and proven stopped, and only then
 * the job is told to end. Neither a notification nor a mark on the row stops GH, both make it start the application again (ghosthands §7.1).
 */
export async function cancelJob(given: CancelJobInput): Promise<CommandView> {
  const input = mustParse(starts.cancelJob, given);
  let hasMoved = false;
  let shown: CommandView | null = null;
  setHandler(jobMovedSignal, () => void (hasMoved = true), { description: 'The job has moved: look at its rows' });
  setHandler(commandQuery, () => shown, { description: 'The command as its row says' });
  const source = input.source ?? (workflowInfo().parent === undefined ? 'temporal' : 'signal');

  const opened = await takeStep('openCancel', { ...input, source }, 'Write the command');
  let { command, attemptId, isClaimed } = opened;
  const { commandId, jobId } = command;
  const { cancelRetryFirstMs, cancelRetryMaxMs } = { ...limitsBeforeData, ...opened.limits };
  const backOffMs = (round: number): number => Math.min(cancelRetryMaxMs, cancelRetryFirstMs * 2 ** round);
  const refresh = async (): Promise<void> => {
    hasMoved = false;
    ({ command, attemptId, isClaimed } = await takeStep('lookAtCancel', { commandId }, 'Look at the job'));
    showCommand((shown = command));
  };
  showCommand((shown = command));

  const deadline = Date.now() + opened.confirmMs;
  for (let round = 0; command.endedAt === null; round++) {
    const notified = tellJob({ jobId, wake: { reason: 'cancel_requested' } });
    let hasAnswered = false;
    /** While no worker has it the job ends by itself; otherwise it takes in what was claimed, or has ended, meanwhile. False: nothing is left to stop. */
    const mayStop = async (): Promise<boolean> => {
      if (!hasAnswered) {
        await notified;
        // A job that does not answer is notified again, more and more rarely.
        await condition(() => hasMoved, backOffMs(round - 1), { summary: 'The job answers' });
        await refresh();
      }
      hasAnswered = true;
      return command.endedAt === null && attemptId !== null;
    };
    // Ending the listener of a claimed attempt hits that attempt or nothing, so it does not wait; whatever hits a process does.
    if (!isClaimed && !(await mayStop())) continue;

    const [isReached] = await Promise.all([stopWorker(commandId, jobId, opened.means, mayStop), notified]);
    await condition(() => hasMoved, '2 seconds', { summary: 'The job ends' });
    await refresh();
    if (command.endedAt !== null) continue;
    if (Date.now() >= deadline) {
      if (isReached) await takeStep('noteUnconfirmed', { commandId, detail: outcomes.unconfirmed.words }, 'Not proven stopped yet');
      else if (attemptId !== null) await tellJob({ jobId, wake: { reason: 'unreachable', unreachableAttemptId: attemptId } });
    }
    await condition(() => hasMoved, backOffMs(round), { summary: 'Try again' });
    await refresh();
    if (command.endedAt === null && isHistoryLong()) {
      // A worker that nothing stops may hold this for days. The next run goes on with the same command.
      await condition(allHandlersFinished);
      await continueAsNew<typeof cancelJob>({ ...input, source, commandId });
    }
  }
  await condition(allHandlersFinished);
  return command;
}

/** One means after the other, until one is proven to have worked; true when something of the worker was there. */
const stopWorker = async (
  commandId: string,
  jobId: string,
  means: CancelPlan['means'],
  mayStop: () => Promise<boolean>,
): Promise<boolean> => {
  const route = await takeStep('routeCancel', { commandId }, 'Where does it go?');
  const { attemptId } = route;
  if (attemptId === null) return true;
  let isReached = false;
  for (const each of means) {
    if (each !== 'listener' && !(await mayStop())) return true;
    const stopped = each === 'recycle' ? await recycle(commandId, route) : await stopAttempt({ commandId, route, means: each });
    isReached ||= stopped.isReached;
    if (stopped.proof === null) continue;
    await tellJob({ jobId, wake: { reason: 'stopped', stopped: { attemptId, proof: stopped.proof } } });
    break;
  }
  return isReached;
};

const recycle = async (commandId: string, route: RouteTaken): Promise<Pick<Stopped, 'proof' | 'isReached'>> => {
  const { attemptId, workerId, host, instanceId } = route;
  if (attemptId === null || workerId === null || host === null) return { proof: null, isReached: false };
  const recycled = await recycleWorker({ host, workerId, instanceId, attemptId }).catch((error: unknown) => {
    if (isCancellation(error)) throw error;
    return { kind: 'failed' as const, detail: 'no deployer took it in time, or it broke off' };
  });
  const proof = await proveStopped({ commandId, route, recycle: `${recycled.kind}: ${recycled.detail}` });
  return { proof, isReached: recycled.kind === 'done' };
};

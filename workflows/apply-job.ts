import { allHandlersFinished, CancellationScope, condition, continueAsNew, log, workflowInfo } from '@temporalio/workflow';
import { limitsBeforeData } from '../src/contracts/limits';
import type { ApplyJobInput, ApplyJobResult } from '../src/contracts/messages';
import type { JobView } from '../src/contracts/job';
import { isTerminal } from '../src/domain/job-state';
import { starts } from '../src/domain/workflow-inputs';
import { examineOwner, takeStep, whyRefused } from './options';
import { createCallbackPump } from './steps/callback-pump';
import { notifyCommands, startCommand, startRelease } from './steps/job-commands';
import { openInbox, type Inbox, type Message } from './steps/inbox';
import { mustParse } from './steps/input';
import { isHistoryLong } from './steps/long-history';
import { showJob } from './steps/show-job';

/**
 * One job, from accepted to its end, through as many attempts as it may have. Rows hold the state; this workflow waits for a message or for a
 * deadline, reads the rows, and takes the next step. So a start over any row, a reset and a continue-as-new all go on from what the row says.
 */
export async function applyJob(input: ApplyJobInput): Promise<ApplyJobResult> {
  const { jobId } = mustParse(starts.applyJob, input);
  const { workflowId, firstExecutionRunId: owner } = workflowInfo();
  const owned = { jobId, owner };
  const inbox = openInbox();
  const callbacks = createCallbackPump(jobId);

  // The Web UI's Cancel button is our cancel: a wish that this workflow answers, never the end of its bookkeeping.
  CancellationScope.current().cancelRequested.catch(() => inbox.put({ kind: 'cancel', actor: 'temporal' }));

  return await CancellationScope.nonCancellable(async () => {
    const { limits, ...opened } = await takeStep('openJob', { ...owned, workflowId }, 'Take the job over');
    const { callbackDrainMs } = { ...limitsBeforeData, ...limits };
    let job: JobView = opened;
    for (;;) {
      showJob(job);
      inbox.answerQueriesWith(job);
      if (job.hasPendingCallbacks) callbacks.start(job);
      await notifyCommands(job);
      if (job.leftProcess) await startRelease(jobId, job.leftProcess);
      if (isTerminal(job.state)) break;
      if (isHistoryLong() && (await mayStartAnew(inbox, callbacks))) await continueAsNew<typeof applyJob>({ jobId });

      const message = await inbox.next(job.wakeInMs, `${job.state}: look again without news`);
      try {
        job = await takeNextStep(owned, job, message);
      } catch (error) {
        dropRefused(job, message, error);
      }
    }
    await callbacks.finish(job.generation, callbackDrainMs);
    await condition(allHandlersFinished);
    return { state: job.state, generation: job.generation, reason: job.reason, isRerunByGh: job.isRerunByGh };
  });
}

const takeNextStep = async (owned: { jobId: string; owner: string }, job: JobView, message: Message | null): Promise<JobView> => {
  // Meant for an earlier generation, and repeated too late.
  if ((message?.kind === 'resolve' || message?.kind === 'retry') && (message.generation ?? job.generation) !== job.generation) return job;
  switch (message?.kind) {
    case 'cancel':
    case 'resume':
      await startCommand(owned.jobId, message);
      return job;
    case 'resolve':
      return await takeStep(
        'resolveJob',
        { ...owned, submitted: message.submitted, note: message.note, actor: message.actor },
        'A person says how it ended',
      );
    case 'retry': {
      const opened = await takeStep('retryJob', { ...owned, confirm: message.confirm, actor: message.actor }, 'A person wants another try');
      if (opened.generation === job.generation) return opened;
      const { limits: _same, ...next } = await takeStep('openJob', owned, 'Open the next generation');
      return { ...next, leftProcess: opened.leftProcess };
    }
    case 'wake':
    case undefined: {
      const attemptId = job.attempt?.attemptId;
      // Without an attempt there is nothing to reach; a timer brings no message at all, and must not look like one about it.
      if (attemptId !== undefined && message?.unreachableAttemptId === attemptId) {
        return await takeStep('advanceJob', { ...owned, attemptId, isUnreachable: true }, 'A cancel finds no way to its worker');
      }
      if (message?.stopped && message.stopped.attemptId === attemptId) {
        return await takeStep('advanceJob', { ...owned, attemptId, proof: message.stopped.proof }, 'A cancel has stopped its worker');
      }
      if (!job.isOwnerInDoubt && message?.examineOwner !== true) return await takeStep('advanceJob', owned, 'Look at the rows');
      const proof = await examineOwner({ jobId: owned.jobId, attemptId });
      return await takeStep('advanceJob', { ...owned, attemptId, proof }, `Look at the rows: the worker is ${proof}`);
    }
  }
};

/** A person's message that can never be carried out is dropped, and the job goes on as it was. */
const dropRefused = ({ jobId }: JobView, message: Message | null, error: unknown): void => {
  const why = message === null || message.kind === 'wake' ? null : whyRefused(error);
  if (why === null) throw error;
  log.warn('A message of a person can never be carried out, and is dropped', { jobId, message: message?.kind, why });
};

/** No activity in flight, no message unread, every handler through: what a new run would lose otherwise. */
const mayStartAnew = async (inbox: Inbox, callbacks: { isIdle(): boolean }): Promise<boolean> => {
  await condition(() => allHandlersFinished() && callbacks.isIdle(), '10 seconds');
  return allHandlersFinished() && callbacks.isIdle() && inbox.isEmpty();
};

import { getExternalWorkflowHandle, log, ParentClosePolicy, startChild, WorkflowIdReusePolicy } from '@temporalio/workflow';
import { makeCancelJobId, makeRecycleWorkerId, makeResumeJobId } from '../../src/contracts/ids';
import type { JobView } from '../../src/contracts/job';
import { jobMovedSignal, releaseActor } from '../../src/contracts/messages';
import type { cancelJob } from '../cancel-job';
import type { recycleWorker } from '../recycle-worker';
import type { resumeJob } from '../resume-job';
import type { Message } from './inbox';

/** A `cancel` or `resume` signal becomes a workflow of its own, as if REST or the CLI had started it; one that runs already is joined. */
export const startCommand = async (jobId: string, message: Extract<Message, { kind: 'cancel' | 'resume' }>): Promise<void> => {
  const options = {
    parentClosePolicy: ParentClosePolicy.ABANDON,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    staticSummary: `${message.kind} of job ${jobId}`,
  };
  try {
    if (message.kind === 'cancel') {
      const args = [{ jobId, actor: message.actor, reason: message.reason, source: 'signal' }] as Parameters<typeof cancelJob>;
      await startChild<typeof cancelJob>('cancelJob', { ...options, workflowId: makeCancelJobId({ jobId }), args });
    } else {
      const args = [
        { jobId, actor: message.actor, note: message.note, resolutionType: message.resolutionType, source: 'signal' },
      ] as Parameters<typeof resumeJob>;
      await startChild<typeof resumeJob>('resumeJob', { ...options, workflowId: makeResumeJobId({ jobId }), args });
    }
  } catch (error) {
    log.info(`A ${message.kind} is under way already, or could not be started`, { jobId, error: String(error) });
  }
};

/** Frees the worker of a process that the job has left behind; a recycle of that worker that runs already is joined, and the sweep starts what is lost. */
export const startRelease = async (jobId: string, { attemptId, workerId }: NonNullable<JobView['leftProcess']>): Promise<void> => {
  try {
    await startChild<typeof recycleWorker>('recycleWorker', {
      workflowId: makeRecycleWorkerId({ workerId }),
      args: [{ workerId, attemptId, actor: releaseActor, source: 'job' }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Recycle of worker ${workerId}, which job ${jobId} has left behind`,
    });
  } catch (error) {
    log.info('A recycle is under way already, or could not be started', { jobId, workerId, error: String(error) });
  }
};

/** The workflows of open commands are notified that the job moved; one that is gone needs no notice. */
export const notifyCommands = async ({ jobId, state, openCommands }: JobView): Promise<void> => {
  await Promise.all(
    openCommands.map(async (kind) => {
      const workflowId = kind === 'cancel' ? makeCancelJobId({ jobId }) : makeResumeJobId({ jobId });
      await getExternalWorkflowHandle(workflowId)
        .signal(jobMovedSignal, { state })
        .catch(() => undefined);
    }),
  );
};

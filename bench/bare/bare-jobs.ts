import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { NativeConnection, Worker } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createTunedWorker } from '../../workers/run-worker';
import { createBareActivities, type StepInput } from './activities';
import { hintSignal, type bareJob } from './workflow';

export interface BareJobs {
  start(steps: number): Promise<BareRun>;
  stop(): Promise<void>;
}

export interface BareRun {
  jobId: string;
  handle: WorkflowHandle<typeof bareJob>;
  /** `performance.now()` in the first line of its first activity. */
  firstActivityAt: Promise<number>;
}

/** The baseline: same server, same worker options, and its hints come as long after a step as GH's do for our jobs. */
export const startBareJobs = async ({
  pool,
  client,
  connection,
  taskQueue,
  restMs,
}: {
  pool: Pool;
  client: Client;
  connection: NativeConnection;
  taskQueue: string;
  restMs: number;
}): Promise<BareJobs> => {
  const stepsOf = new Map<string, number>();
  const begun = new Map<string, (at: number) => void>();

  const onStep = ({ jobId, step }: StepInput): void => {
    begun.get(jobId)?.(performance.now());
    begun.delete(jobId);
    if (step === stepsOf.get(jobId)) stepsOf.delete(jobId);
    else void delay(restMs).then(async () => await client.workflow.getHandle(workflowIdOf(jobId)).signal(hintSignal));
  };

  const worker: Worker = await createTunedWorker({
    connection,
    namespace: client.options.namespace,
    taskQueue,
    activities: createBareActivities({ pool, onStep }),
    workflowsPath: require.resolve('./workflow'),
  });
  const running = worker.run();

  return {
    async start(steps) {
      const jobId = randomUUID();
      stepsOf.set(jobId, steps);
      const firstActivityAt = new Promise<number>((resolve) => begun.set(jobId, resolve));
      const handle = await client.workflow.start<typeof bareJob>('bareJob', {
        workflowId: workflowIdOf(jobId),
        taskQueue,
        args: [{ jobId, steps }],
      });
      return { jobId, handle, firstActivityAt };
    },
    async stop() {
      worker.shutdown();
      await running;
    },
  };
};

const workflowIdOf = (jobId: string): string => `bare-job-${jobId}`;

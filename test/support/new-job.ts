import { randomUUID } from 'node:crypto';
import { TypedSearchAttributes } from '@temporalio/common';
import {
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type Client,
  type WorkflowHandle,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { Pool } from 'pg';
import { makeApplyJobId } from '../../src/contracts/ids';
import type { NewJob } from '../../src/contracts/job';
import type { Limits } from '../../src/contracts/limits';
import { searchAttributes } from '../../src/contracts/messages';
import { acceptJob } from '../../src/db/jobs/accept-job';
import type { Actor } from '../../src/db/audit';
import { withTransaction } from '../../src/db/pool';
import type { applyJob } from '../../workflows';

/** Whom the audit names for what tests accept. */
export const testActor: Actor = { actor: 'test', source: 'rest', address: null };

/** A valid job; each test names only what matters to it. */
export const makeNewJob = (more: Partial<NewJob> = {}): NewJob => ({
  jobId: randomUUID(),
  userId: randomUUID(),
  valetTaskId: randomUUID(),
  idempotencyKey: null,
  requestHash: 'hash',
  jobType: 'apply',
  targetUrl: 'https://sim.test/quick?ms=50',
  taskDescription: 'Apply to the job',
  inputData: { user_data: { first_name: 'Zoë', last_name: 'Ünal', email: 'zoe@example.test' } },
  metadata: {},
  resumeRef: { storage_path: 'resumes/1.pdf' },
  tags: ['valet', 'apply'],
  priority: 5,
  timeoutSeconds: 300,
  attemptsMax: 3,
  executionMode: 'auto',
  wantedWorker: null,
  affinity: 'any',
  callbackUrl: null,
  acceptedBy: 'test',
  requestId: 'test',
  ...more,
});

export const acceptNewJob = async (pool: Pool, job: NewJob, limits: Limits): Promise<void> => {
  await withTransaction(pool, async (client) => await acceptJob(client, job, testActor, limits));
};

/** As the gateway starts it. */
export const startApplyJob = async (
  client: Client,
  { jobId, taskQueue, ...more }: { jobId: string; taskQueue: string } & Partial<WorkflowStartOptions>,
): Promise<WorkflowHandle<typeof applyJob>> =>
  await client.workflow.start<typeof applyJob>('applyJob', {
    ...more,
    workflowId: makeApplyJobId({ jobId }),
    taskQueue,
    args: [{ jobId }],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.state, value: 'accepted' }]),
  });

import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { JobView } from './job';

/** Task queues. The deployer's queue also runs `kamalDeploy`, so that an orchestrator outage cannot block a compensation. */
export const taskQueues = { orchestrator: 'yardmaster', deploy: 'deploy' } as const;

export const workflowNames = { applyJob: 'applyJob', deliverCallbacks: 'deliverCallbacks', workerCleanup: 'workerCleanup' } as const;

export interface ApplyJobInput {
  jobId: string;
}
export interface ApplyJobResult {
  state: JobView['state'];
  generation: number;
  reason: string;
  isRerunByGh: boolean;
}
export interface DeliverCallbacksInput {
  jobId: string;
  generation: number;
}

/** Look again: something about the job changed. Always only a hint; the row decides. */
export interface WakeSignal {
  reason: string;
  /** Its worker looks changed or silent: examine it, whatever the rows say. */
  examineOwner?: boolean;
}
export const wakeSignal = defineSignal<[WakeSignal]>('wake');

export interface CancelSignal {
  reason?: string;
  actor?: string;
}
export const cancelSignal = defineSignal<[CancelSignal]>('cancel');

/** A person says how a job ended that nobody else can tell: a review page, or a possible submission. */
export interface ResolveSignal {
  submitted: boolean;
  note?: string;
  actor?: string;
}
export const resolveSignal = defineSignal<[ResolveSignal]>('resolve');

/** A person wants another try; `confirm` is needed where the form may already be submitted. */
export interface RetrySignal {
  confirm?: boolean;
  actor?: string;
}
export const retrySignal = defineSignal<[RetrySignal]>('retry');

export const statusQuery = defineQuery<JobView | null>('status');

/** All of them Keyword: SQL visibility allows ten of that type in a namespace. */
export const searchAttributes = {
  state: defineSearchAttributeKey('State', 'KEYWORD'),
  outcome: defineSearchAttributeKey('Outcome', 'KEYWORD'),
  userId: defineSearchAttributeKey('UserId', 'KEYWORD'),
  host: defineSearchAttributeKey('Host', 'KEYWORD'),
  workerId: defineSearchAttributeKey('WorkerId', 'KEYWORD'),
  destination: defineSearchAttributeKey('Destination', 'KEYWORD'),
  version: defineSearchAttributeKey('Version', 'KEYWORD'),
  actor: defineSearchAttributeKey('Actor', 'KEYWORD'),
} as const;

import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { CommandView, ResolutionType } from './command';
import type { DeployKind, DeployStrategy, DeployView, DestinationView, KamalAuditLine } from './deploy';
import type { JobView } from './job';

/** Task queues. The deployer's queue also runs `kamalDeploy`, so that an orchestrator outage cannot block a compensation. */
export const taskQueues = { orchestrator: 'yardmaster', deploy: 'deploy' } as const;

export const workflowNames = {
  applyJob: 'applyJob',
  cancelJob: 'cancelJob',
  resumeJob: 'resumeJob',
  deliverCallbacks: 'deliverCallbacks',
  workerCleanup: 'workerCleanup',
  kamalDeploy: 'kamalDeploy',
  lookAtDestination: 'lookAtDestination',
  breakDeployLock: 'breakDeployLock',
  drainWorker: 'drainWorker',
  recycleWorker: 'recycleWorker',
} as const;

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
  /** Its process was proven gone, or through with it, by a cancel: close the attempt. */
  stopped?: { attemptId: string; proof: 'gone' | 'idle' };
  /** No way was found to reach it by a cancel's deadline: rest uncertain. */
  unreachableAttemptId?: string;
  /** Its worker looks changed or silent: examine it, whatever the rows say. */
  examineOwner?: boolean;
}
export const wakeSignal = defineSignal<[WakeSignal]>('wake');

export interface CancelSignal {
  reason?: string;
  actor?: string;
}
export const cancelSignal = defineSignal<[CancelSignal]>('cancel');

/** Started by REST, the CLI, the Web UI, or by the signal `cancel` of an apply-job; a second start joins the first. */
export interface CancelJobInput {
  jobId: string;
  reason?: string;
  actor?: string;
  /** Where it came from: rest, signal, temporal. */
  source?: string;
  /** The command that an earlier run of this workflow opened: it goes on with that one, also when it has ended meanwhile. */
  commandId?: string;
}

/** A code or a password never comes this way: histories are kept and shared. It waits encrypted under `commandId` (POST /v1/jobs/:jobId/resume). */
export interface ResumeJobInput {
  jobId: string;
  resolutionType?: ResolutionType;
  note?: string;
  actor?: string;
  source?: string;
}

/** Started by REST, the CLI or the Web UI; a second start joins the first. */
export interface DrainWorkerInput {
  workerId: string;
  reason?: string;
  actor?: string;
  /** Where it came from: rest, product, atm, temporal. */
  source?: string;
  /** How long the worker's job is waited for. */
  deadlineMs?: number;
}

export interface RecycleWorkerInput {
  workerId: string;
  reason?: string;
  actor?: string;
  source?: string;
  /** Also while a job runs there, which is then interrupted. */
  force?: boolean;
  /** Only while the process that had this attempt is still there, and nobody needs it any more. */
  attemptId?: string;
}

/** Who asks for a recycle that nobody asked for: the end of a job, or the sweep. */
export const releaseActor = 'yardmaster';

/** To a cancel or resume workflow: the job has moved; look at the rows. */
export const jobMovedSignal = defineSignal<[{ state: string }]>('jobMoved');

export const commandQuery = defineQuery<CommandView | null>('command');

/** The message of a person at the blocked page. */
export interface ResumeSignal {
  resolutionType?: ResolutionType;
  note?: string;
  actor?: string;
}
export const resumeSignal = defineSignal<[ResumeSignal]>('resume');

/** A person says how a job ended that nobody else can tell: a review page, or a possible submission. */
export interface ResolveSignal {
  submitted: boolean;
  note?: string;
  actor?: string;
  /** Where it is given, the message is for that generation alone: one that is repeated late has no effect on the next. */
  generation?: number;
}
export const resolveSignal = defineSignal<[ResolveSignal]>('resolve');

/** A person wants another try; `confirm` is needed where the form may already be submitted. */
export interface RetrySignal {
  confirm?: boolean;
  actor?: string;
  generation?: number;
}
export const retrySignal = defineSignal<[RetrySignal]>('retry');

export const statusQuery = defineQuery<JobView | null>('status');

/** Started by REST, the CLI or the Web UI, under the id that names service and destination; without a deployId the run's own id is it. */
export interface KamalDeployInput {
  destination: string;
  version: string;
  deployId?: string;
  kind?: DeployKind;
  strategy?: Partial<DeployStrategy>;
  dryRun?: boolean;
  reason?: string;
  actor?: string;
  /** Where it came from: rest, atm, temporal, sweep. */
  source?: string;
}

/** Every message names its deploy: one that was meant for the deploy before is refused. */
export interface DeploySignal {
  deployId: string;
  reason?: string;
  actor?: string;
}
export const approveSignal = defineSignal<[DeploySignal]>('approve');
export const rejectSignal = defineSignal<[DeploySignal]>('reject');
export const cancelDeploySignal = defineSignal<[DeploySignal]>('cancel');
export const deployStatusQuery = defineQuery<DeployView | null>('status');

/** `state`: versions and lock; `audit`: Kamal's last lines; `config`: does it parse, are the secrets there; `version`: what a tag means in the registry. */
export const destinationWants = ['state', 'audit', 'config', 'version'] as const;
export type DestinationWant = (typeof destinationWants)[number];

export interface LookAtDestinationInput {
  destination: string;
  want: DestinationWant;
  /** With `want: 'version'`. */
  version?: string;
}
export type LookAtDestinationResult =
  /** `destinations` are all that the deployer knows. */
  | { want: 'state'; state: DestinationView; destinations: string[] }
  | { want: 'audit'; audit: KamalAuditLine[] }
  | {
      want: 'config';
      kamal: { isOk: boolean; detail: string };
      config: { isOk: boolean; detail: string };
      secrets: { isOk: boolean; detail: string };
    }
  /** `resolved` is null where the registry has no such tag, or a moving one with no immutable tag of the same digest; `service` where nobody can tell. */
  | { want: 'version'; version: string; service: string | null; resolved: string | null; problem: string | null }
  | { want: 'unknown_destination'; destinations: string[] };

/** A person breaks Kamal's lock; refused while a deploy of ours holds it. */
export interface BreakDeployLockInput {
  destination: string;
  reason: string;
  actor?: string;
}
export interface BreakDeployLockResult {
  kind: 'broken' | 'was_free' | 'refused';
  detail: string;
}

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

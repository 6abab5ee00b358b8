import type { JobState } from './job';

/** What a person asks of a worker rather than of a job. Each is a workflow of its own, with two lines in the audit: when it came, and what came of it. */
export const workerActs = ['drain', 'recycle'] as const;
export type WorkerAct = (typeof workerActs)[number];

/** `drained`, `deadline_passed`, `released` and `stopped` are a drain's, `unproven` is of both, the others a recycle's. */
export const workerActOutcomes = [
  'drained',
  'deadline_passed',
  'released',
  'stopped',
  'recycled',
  'unproven',
  'failed',
  'not_configured',
  'refused',
] as const;
export type WorkerActOutcome = (typeof workerActOutcomes)[number];

/** The public view: what was asked, what came of it, and which job it is about. */
export interface WorkerActView {
  actId: string;
  act: WorkerAct;
  workerId: string;
  actor: string;
  reason: string;
  startedAt: string;
  /** Until when a drain waits for the worker's job; null for a recycle. */
  deadlineAt: string | null;
  isForced: boolean;
  endedAt: string | null;
  /** Null while it is under way. */
  outcome: WorkerActOutcome | null;
  detail: string;
  /** The job that is, or was at the end, still there; the one that a recycle interrupted. */
  job: { jobId: string; state: JobState } | null;
}

/**
 * Can a worker's process be replaced without a person? `checked`: the deployer's check passed; `proven`: a recycle was proven by another process;
 * `unproven`: there is a command that nobody has tried yet.
 */
export const recycleStates = ['checked', 'proven', 'unproven', 'check_failed', 'not_configured', 'no_deployer'] as const;
export type RecycleState = (typeof recycleStates)[number];

export interface RecycleReadiness {
  state: RecycleState;
  detail: string;
}

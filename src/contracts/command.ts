import type { JobState } from './job';

/** Cancel and resume are commands with a workflow of their own; retry and resolve are a person's message to the job itself. */
export const commandKinds = ['cancel', 'resume', 'retry', 'resolve'] as const;
export type CommandKind = (typeof commandKinds)[number];

/** What came of a command (design §5.3). `resumed`, `zombie` and `superseded` are a resume's, `undeliverable` and the two `cancelled` a cancel's. */
export const commandOutcomes = [
  'cancelled',
  'cancelled_maybe_submitted',
  'already_finished',
  'unconfirmed',
  'undeliverable',
  'superseded',
  'resumed',
  'refused',
  'zombie',
  'resolved',
  'reopened',
] as const;
export type CommandOutcome = (typeof commandOutcomes)[number];

/** Where a command went. `row` and `owner` are as wished, every other one is a fallback with its reason. */
export const routes = ['row', 'owner', 'successor', 'sandbox', 'database', 'parked'] as const;
export type Route = (typeof routes)[number];

/** One look-up on the way and what it gave. */
export interface RouteStep {
  lookedUp: 'handover' | 'worker_id' | 'registry' | 'successor' | 'sandbox' | 'database';
  found: string | null;
  level: 'info' | 'warn' | 'error';
  reason: string;
}

/** Where a command goes and why, as data: the same object in the reply, the log, the command row and the workflow's result. */
export interface RouteTaken {
  route: Route;
  /** Fences the command: it can never hit the next job of that worker. */
  attemptId: string | null;
  workerId: string | null;
  host: string | null;
  instanceId: string | null;
  reason: string;
  steps: RouteStep[];
}

/** What was done to reach the worker, in order, with what came of it. */
export interface MeansUsed {
  means: 'take_back' | 'listener' | 'recycle' | 'http' | 'resume_row';
  result: string;
}

/** The public view of a command; no secret is ever in it. */
export interface CommandView {
  commandId: string;
  jobId: string;
  generation: number;
  kind: CommandKind;
  actor: string;
  reason: string | null;
  requestedAt: string;
  endedAt: string | null;
  /** Null while it is under way; `unconfirmed` may still become another one. */
  outcome: CommandOutcome | null;
  detail: string;
  route: RouteTaken | null;
  means: MeansUsed[];
  jobState: JobState;
}

/** How a resume is resolved, in GH's words (ghosthands §1.4). */
export const resolutionTypes = ['manual', 'code_entry', 'credentials', 'skip'] as const;
export type ResolutionType = (typeof resolutionTypes)[number];

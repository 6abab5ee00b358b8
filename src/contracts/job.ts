/** States of a job (design §4.2). `uncertain` rests open for a person; the last four are terminal. */
export const jobStates = [
  'accepted',
  'waiting',
  'assigned',
  'running',
  'waiting_human',
  'uncertain',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
] as const;
export type JobState = (typeof jobStates)[number];

export const terminalJobStates = ['succeeded', 'failed', 'cancelled', 'expired'] as const;
export type TerminalJobState = (typeof terminalJobStates)[number];

/** What a human is needed for: `blocker` (captcha, login, code) or `review` (the filled form waits for its submit button). */
export const humanKinds = ['blocker', 'review'] as const;
export type HumanKind = (typeof humanKinds)[number];

/** Could the form have been submitted? `maybe` forbids any further attempt without a person's decision (promise 3). */
export const submissions = ['no', 'maybe', 'yes'] as const;
export type Submission = (typeof submissions)[number];

export const attemptStates = ['assigned', 'running', 'ended'] as const;
export type AttemptState = (typeof attemptStates)[number];

export const jobTypes = ['apply', 'scrape', 'fill_form', 'custom'] as const;
export type JobType = (typeof jobTypes)[number];

/** GH's words; `mastra` exists on staging only (ghosthands §9), the row's CHECK decides. */
export const executionModes = ['auto', 'ai_only', 'cookbook_only', 'hybrid', 'smart_apply', 'agent_apply', 'mastra'] as const;
export type ExecutionMode = (typeof executionModes)[number];

export const affinities = ['strict', 'preferred', 'any'] as const;
export type Affinity = (typeof affinities)[number];

/** A job as the gateway hands it to the database, whichever dialect it came in. Secrets are already out of its URLs. */
export interface NewJob {
  jobId: string;
  userId: string;
  valetTaskId: string | null;
  idempotencyKey: string | null;
  /** Tells the same request under one key from another one. */
  requestHash: string;
  jobType: JobType;
  targetUrl: string;
  taskDescription: string;
  inputData: Record<string, unknown>;
  metadata: Record<string, unknown>;
  resumeRef: Record<string, unknown> | null;
  tags: string[];
  priority: number;
  timeoutSeconds: number;
  attemptsMax: number;
  executionMode: ExecutionMode;
  /** A worker id, target id, instance id or sandbox id; only `strict` insists on it. */
  wantedWorker: string | null;
  affinity: Affinity;
  callbackUrl: string | null;
  /** Name of the key that asked. */
  acceptedBy: string;
  requestId: string;
}

/** What a workflow knows of its job after each step: ids and facts, never personal data. */
export interface JobView {
  jobId: string;
  generation: number;
  state: JobState;
  /** Why it is in this state, one word for a program; see docs/operators.md. */
  reason: string;
  /** The same for a person. */
  detail: string;
  attempt: { attemptId: string; number: number; workerId: string; host: string | null } | null;
  userId: string;
  submission: Submission;
  humanKind: HumanKind | null;
  /** GH itself may have run the form more than once (`browser_crash_detected`). */
  isRerunByGh: boolean;
  errorCode: string | null;
  /** Milliseconds until this state needs another check even without a message; null when only a message can change it. */
  wakeInMs: number | null;
  /** The attempt looks dead or adrift: its owner has to be examined before anything else. */
  isOwnerInDoubt: boolean;
  /** Commands under way, whose workflows want to hear when the job moves. */
  openCommands: ('cancel' | 'resume')[];
  /** Outgoing callbacks of this generation that are not delivered yet. */
  hasPendingCallbacks: boolean;
  /** A process that this step left behind, and that is to be replaced; histories of before it was known lack it. */
  leftProcess?: { attemptId: string; workerId: string } | null;
}

/** The phases of a deploy, in the order of its story (design §7); `compensate` comes only after a failure or a cancel that found hosts touched. */
export const deployPhases = [
  'accepted',
  'preflight',
  'approval',
  'hold',
  'drain',
  'lock',
  'stop',
  'deploy',
  'verify',
  'soak',
  'compensate',
  'release',
  'done',
] as const;
export type DeployPhase = (typeof deployPhases)[number];

/**
 * How a deploy ended. `succeeded`: the new version is verified on every host. `planned`: a dry run. `refused`, `rejected`, `aborted` (jobs were still
 * running at the drain's deadline) and `cancelled` touched nothing. `rolled_back`: the version before is back and verified. `broken`: neither is, and a
 * person is needed.
 */
export const deployOutcomes = ['succeeded', 'planned', 'refused', 'rejected', 'aborted', 'cancelled', 'rolled_back', 'broken'] as const;
export type DeployOutcome = (typeof deployOutcomes)[number];

export const deployKinds = ['deploy', 'rollback'] as const;
export type DeployKind = (typeof deployKinds)[number];

export interface DeployStrategy {
  /** Hosts of the first batch, whose health decides about the others; 0: no canary. */
  canaryHosts: number;
  /** Hosts of every further batch; 0: all that are left at once. */
  batchHosts: number;
  /** How long a verified canary must stay healthy. */
  soakSeconds: number;
  /** How long running jobs of a batch's hosts may take to finish. */
  drainSeconds: number;
  /** What happens then: the deploy ends, or the jobs are interrupted, each by its own workflow. */
  onDrainDeadline: 'abort' | 'force';
  /**
   * Where a host that was touched cannot be put back, the others cannot all run one version. `keep_verified` leaves the new version on the hosts where it is
   * verified; `put_back` puts the version before back there too.
   */
  onMixedFleet: 'keep_verified' | 'put_back';
  /** A person must say yes after the preflight. */
  needsApproval: boolean;
  /** An approval that did not come until then is a no. */
  approvalSeconds: number;
}

export const defaultStrategy: DeployStrategy = {
  canaryHosts: 1,
  batchHosts: 0,
  soakSeconds: 0,
  drainSeconds: 1_800,
  onDrainDeadline: 'abort',
  onMixedFleet: 'keep_verified',
  needsApproval: false,
  approvalSeconds: 86_400,
};

/** Days, which is how long a lock, a hold and a person's attention may be asked for. */
const week = 7 * 86_400;
/** The least and the most of each number, over REST and by hand alike; an approval in no time at all would be a refusal. */
export const strategyBounds = {
  canaryHosts: { least: 0, most: 1_000 },
  batchHosts: { least: 0, most: 1_000 },
  soakSeconds: { least: 0, most: week },
  drainSeconds: { least: 0, most: week },
  approvalSeconds: { least: 1, most: week },
} as const satisfies Partial<Record<keyof DeployStrategy, { least: number; most: number }>>;

/** One thing that the preflight looked at; a check that is not ok refuses the deploy. */
export interface DeployCheck {
  check: string;
  host: string | null;
  isOk: boolean;
  detail: string;
}

export const deployHostStates = ['waiting', 'held', 'stopped', 'deployed', 'verified', 'put_back', 'failed'] as const;
export type DeployHostState = (typeof deployHostStates)[number];

export interface DeployHost {
  host: string;
  roles: string[];
  /** From 0; the canary is batch 0. */
  batch: number;
  state: DeployHostState;
  versionBefore: string | null;
  /** As verified last; null where no version runs, or nobody has looked yet. */
  versionNow: string | null;
  detail: string;
}

/** Where two sources reported different things of the same step: an exit code and the running version, a version and the host's health. */
export interface Disagreement {
  phase: DeployPhase;
  host: string | null;
  expected: string;
  found: string;
}

/** A job that a deploy interrupted because it was told to. */
export interface InterruptedJob {
  jobId: string;
  attemptId: string;
  workerId: string;
  host: string;
}

/** Kamal's lock is not this deploy's any more: it changes no host until the lock is free, or its own again. */
export interface Standstill {
  since: string;
  /** Who has the lock. */
  detail: string;
}

/** The public view of a deploy: REST, query and result answer the same. No secret is ever in it. */
export interface DeployView {
  deployId: string;
  service: string;
  destination: string;
  kind: DeployKind;
  /** As asked for. */
  version: string;
  /** The immutable tag that it means; null until the preflight has found it. */
  resolvedVersion: string | null;
  strategy: DeployStrategy;
  isDryRun: boolean;
  reason: string | null;
  actor: string;
  source: string;
  requestedAt: string;
  phase: DeployPhase;
  phaseAt: string;
  /** `back` once it has turned: what it has touched is put back, which may be nothing. */
  direction: 'forward' | 'back';
  checks: DeployCheck[];
  hosts: DeployHost[];
  /** Jobs that run, or wait for a human, on the hosts, as the preflight or the drain saw them last. */
  jobs: { jobId: string; host: string; state: string }[];
  disagreements: Disagreement[];
  interruptedJobs: InterruptedJob[];
  approvedBy: string | null;
  cancelRequestedBy: string | null;
  /** When its lock was taken, as Kamal tells it; null: it has none, or is about to take it. */
  lockAt: string | null;
  standstill: Standstill | null;
  outcome: DeployOutcome | null;
  detail: string;
  endedAt: string | null;
  /** Number of the newest log line; 0 before the first. */
  lastSeq: number;
}

export const logStreams = ['stdout', 'stderr', 'yardmaster'] as const;
/** Whose line it is; `yardmaster` marks our own lines. */
export type LogStream = (typeof logStreams)[number];

export interface DeployLogLine {
  seq: number;
  at: string;
  stream: LogStream;
  line: string;
}

/** Kamal's deploy lock of a destination, as Kamal reports it. */
export interface DeployLock {
  holder: string;
  at: string | null;
  version: string | null;
  message: string;
  /** Ours carries `<installation>/<workflowId>/<deployId>`. */
  deployId: string | null;
}

/** What the deployer last saw of a destination, or sees now. */
export interface DestinationView {
  service: string;
  destination: string;
  hosts: { host: string; roles: string[]; version: string | null }[];
  lock: DeployLock | null;
  /** Why parts of it are unknown; null: all was seen. */
  problem: string | null;
  seenAt: string;
}

export interface KamalAuditLine {
  at: string;
  performer: string;
  destination: string;
  role: string | null;
  text: string;
}

/** A service or destination: it becomes part of file names, workflow ids and Kamal's arguments, so nothing else is let in. */
export const deployNamePattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/** An image tag (Docker's own rule), which no shell can misread. */
export const versionPattern = /^\w[\w.-]{0,127}$/;

/** NOTIFY of new log lines: the payload is `<deployId> <seq>`, never a line. */
export const deployLogChannel = 'yardmaster_deploy_log';

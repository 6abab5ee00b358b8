/** What a finding asks of a person: a `repair` is done, a `notice` informs, an `alarm` wants attention. */
export type FindingWeight = 'repair' | 'notice' | 'alarm';

/** Whose id the subject of a finding is, under the name that it has in every log line. */
export type FindingSubject = 'workerId' | 'host' | 'sandboxId' | 'jobId' | 'attemptId' | 'deployId' | 'workflowId';

/** Every finding that a pass over the fleet may report, in one place: for reports, metrics and pages (docs/operators.md explains them). */
export const sweepFindings = {
  worker_marked_offline: {
    weight: 'repair',
    of: 'workerId',
    meaning: 'A worker was silent for too long, and its registry row says so now.',
  },
  worker_port_down: { weight: 'notice', of: 'host', meaning: 'A host gave no usable answer on its worker port.' },
  deaf_port: { weight: 'alarm', of: 'workerId', meaning: 'A worker beats in the registry while its worker port gives no usable answer.' },
  twin_workers: { weight: 'alarm', of: 'workerId', meaning: 'Two processes answer to one worker id, and both would claim.' },
  dead_address: {
    weight: 'alarm',
    of: 'workerId',
    meaning:
      'A worker beats, and its row names an address where it is not, so that it gets no job: restart it. Mostly what is left of two twins.',
  },
  bad_registry_row: { weight: 'notice', of: 'workerId', meaning: 'A registry row says something that cannot be; the field is named.' },
  address_by_instance: { weight: 'notice', of: 'workerId', meaning: 'A row without a usable address is asked at that of its instance.' },
  worker_released: {
    weight: 'repair',
    of: 'workerId',
    meaning: 'A process that a job has left behind had no recycle under way, or the last one did not help: it is recycled.',
  },
  worker_waits_for_restart: {
    weight: 'alarm',
    of: 'workerId',
    meaning: 'A process that a job has left behind keeps its worker from jobs, and could not be recycled: restart that worker.',
  },
  recycle_check_failed: {
    weight: 'alarm',
    of: null,
    meaning: 'No worker can be recycled: no deployer answers, RECYCLE_COMMAND is not set, or its check fails.',
  },
  recycle_never_tried: { weight: 'notice', of: null, meaning: 'There is a recycle command, and nobody knows whether it can do its work.' },
  tainted_worker: { weight: 'notice', of: 'workerId', meaning: 'A wait for a human that nobody ends hangs in its process.' },
  unclaiming_worker: { weight: 'notice', of: 'workerId', meaning: 'It did not claim what was meant for it.' },
  queue_mode_worker: { weight: 'alarm', of: 'workerId', meaning: 'It takes jobs past us, since it runs in GH’s queue mode.' },
  busy_with_ended_job: { weight: 'alarm', of: 'workerId', meaning: 'It says that it works on a job that has ended.' },
  several_listeners: {
    weight: 'alarm',
    of: 'attemptId',
    meaning: 'More than one process listens for the cancel of an attempt: it may run twice.',
  },
  foreign_claim: {
    weight: 'alarm',
    of: 'attemptId',
    meaning: 'An attempt was claimed by another worker than the one it was meant for; our record follows.',
  },
  worker_changed: {
    weight: 'repair',
    of: 'jobId',
    meaning: 'Another process answers where an attempt runs, or none: its workflow examines it.',
  },
  worker_gone: {
    weight: 'repair',
    of: 'jobId',
    meaning: 'The registry says offline, or nothing, of the worker of an attempt: its workflow examines it.',
  },
  zombie_attempt: { weight: 'repair', of: 'jobId', meaning: 'A row says running while its worker is idle: its workflow examines it.' },
  silent_attempt: { weight: 'repair', of: 'jobId', meaning: 'The row of an attempt is silent or gone: its workflow examines it.' },
  accepted_without_workflow: { weight: 'repair', of: 'jobId', meaning: 'An accepted job had no workflow.' },
  missed_claim: { weight: 'repair', of: 'jobId', meaning: 'A claim that no hint told.' },
  missed_callback: { weight: 'repair', of: 'jobId', meaning: 'A row that ended, or waits, without a word.' },
  late_proof: {
    weight: 'repair',
    of: 'jobId',
    meaning: 'The row of an attempt, or its callback, may say by now what its uncertain job could not know.',
  },
  callbacks_refused: {
    weight: 'alarm',
    of: 'workerId',
    meaning: 'Its callbacks come with a wrong secret, and none is believed: GH_SERVICE_SECRET of the worker is not ours.',
  },
  missed_deadline: { weight: 'repair', of: 'jobId', meaning: 'A deadline passed and nothing happened.' },
  untouched: { weight: 'repair', of: 'jobId', meaning: 'A live job that nobody has touched for long.' },
  workflow_aborted: { weight: 'repair', of: 'jobId', meaning: 'A workflow was closed by force while its job lives.' },
  workflow_stuck: {
    weight: 'alarm',
    of: 'workflowId',
    meaning: 'The task of a workflow fails again and again: it takes no message and no step.',
  },
  workflow_without_row: { weight: 'repair', of: 'jobId', meaning: 'The row of a workflow is gone; the workflow is woken, and ends.' },
  job_row_gone: { weight: 'alarm', of: 'jobId', meaning: 'The public row of a live job was deleted: it is never assigned again.' },
  command_without_workflow: { weight: 'repair', of: 'jobId', meaning: 'An open command had no workflow.' },
  callbacks_without_workflow: { weight: 'repair', of: 'jobId', meaning: 'Callbacks were due and nobody delivered them.' },
  deploy_without_workflow: {
    weight: 'repair',
    of: 'deployId',
    meaning: 'A deploy under way had no workflow, and has one that goes on from its row.',
  },
  deploy_never_started: {
    weight: 'repair',
    of: 'deployId',
    meaning: 'An accepted deploy was begun by nobody, and is refused: a late one would be a surprise.',
  },
  deploys_pruned: { weight: 'repair', of: null, meaning: 'Deploys and lines of their logs beyond their retention were deleted.' },
  loose_attempt_ended: {
    weight: 'repair',
    of: 'attemptId',
    meaning: 'An attempt that its job had left behind is over, and frees its worker.',
  },
  attempts_erased: { weight: 'repair', of: null, meaning: 'Copies of personal data in attempts of an ended job were taken out.' },
  credentials_scrubbed: { weight: 'repair', of: null, meaning: 'What a person typed into a resume was still in a row, and was taken out.' },
  secrets_expired: { weight: 'repair', of: null, meaning: 'Secrets that nobody used in time were deleted.' },
  left_waiter_gone: { weight: 'repair', of: null, meaning: 'A wait for a human has ended, and its worker takes jobs again.' },
  mirror_repaired: { weight: 'repair', of: 'jobId', meaning: 'Somebody wrote over the public row of a live job.' },
  late_overwrite_repaired: {
    weight: 'repair',
    of: 'jobId',
    meaning: 'Somebody wrote over the public row of an ended job; kept as an event of the job.',
  },
  row_command: {
    weight: 'repair',
    of: 'jobId',
    meaning: 'A neighbour wrote a command into the public row, past the gateway: it was taken out, and is carried out where it can be.',
  },
  commands_go_around: {
    weight: 'alarm',
    of: null,
    meaning:
      'In the last hour commands came through public rows, since the product is set up to go around the gateway; the fault is named.',
  },
  sandbox_leads_around: {
    weight: 'alarm',
    of: 'sandboxId',
    meaning: 'VALET sends what concerns this machine past the gateway: its sandbox has no tags.atm_fleet_id.',
  },
  job_adopted: { weight: 'repair', of: 'jobId', meaning: 'The row of an older producer was taken over before a worker claimed it.' },
  row_not_adopted: { weight: 'alarm', of: 'jobId', meaning: 'The row of an older producer cannot be taken over; the field is named.' },
  adoption_is_off: { weight: 'alarm', of: null, meaning: 'Rows wait for adoption, but a worker in queue mode might run them beside us.' },
  sandbox_repaired: { weight: 'repair', of: 'sandboxId', meaning: 'A sandbox told another health than registry and ports show.' },
  sandbox_without_worker: { weight: 'notice', of: 'sandboxId', meaning: 'No worker is registered for a sandbox.' },
  sandbox_address_moved: { weight: 'notice', of: 'sandboxId', meaning: 'The registry knows another address of a sandbox.' },
  worker_of_no_sandbox: { weight: 'notice', of: 'workerId', meaning: 'A worker at an address that no sandbox has.' },
  bad_fleet_configuration: {
    weight: 'notice',
    of: null,
    meaning: 'An entry of FLEET_CONFIG or FLEET_FILE is left out; entry and field are named.',
  },
  configured_host_without_worker: {
    weight: 'notice',
    of: null,
    meaning: 'A configured machine has no registered worker that is not offline.',
  },
  configured_address_moved: { weight: 'notice', of: null, meaning: 'The registry knows another address of a configured machine.' },
  host_not_configured: {
    weight: 'notice',
    of: 'host',
    meaning: 'A worker registered from a machine that the configuration does not name.',
  },
  pruned: { weight: 'repair', of: null, meaning: 'Jobs beyond the retention were deleted.' },
  left_for_next_pass: { weight: 'notice', of: null, meaning: 'There was more of it than one pass takes; the next one goes on.' },
  more_than_a_pass_sees: {
    weight: 'alarm',
    of: null,
    meaning: 'There is more of it than a pass looks at, and each looks at the same first rows: nobody looks after the rest.',
  },
} as const satisfies Record<string, { weight: FindingWeight; of: FindingSubject | null; meaning: string }>;

export type SweepFinding = keyof typeof sweepFindings;

export interface SweepItem {
  finding: SweepFinding;
  /** Id of the worker, host, job, attempt or sandbox that it is about. */
  subject: string;
  detail: string;
  /** Of a repair: what it found and what it left. */
  before?: string;
  after?: string;
}

/** What a pass over the fleet found and did; no personal data, since it is a workflow's result. */
export interface SweepReport {
  kind: SweepKind;
  /** Nothing was repaired: the report says what would have been. */
  isDryRun: boolean;
  /** Each finding → how many, including those beyond the listed ones. */
  counts: Partial<Record<SweepFinding, number>>;
  /** The first of them, for a person. */
  items: SweepItem[];
  /** The deployer is to be asked whether it can recycle; only of a pass of the schedule, and of none before it was known. */
  isRecycleAskDue?: boolean;
}

/** `light`: heartbeats, ports, listeners, jobs that nobody moves, waiting jobs. `full`: every rule. */
export const sweepKinds = ['light', 'full'] as const;
export type SweepKind = (typeof sweepKinds)[number];

/** Input of the workflow workerCleanup. Without `full`, a pass is full when the last full one is old enough. */
export interface SweepRequest {
  dryRun?: boolean;
  full?: boolean;
}

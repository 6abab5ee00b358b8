import { executionModes, jobTypes } from './job';

/** `fatal`: we cannot run. `degraded`: we run, and something is lost. `note`: one of the variants that exist, and what it means. */
export type Severity = 'fatal' | 'degraded' | 'note';

/** Kinds of types that our statements can work with, whatever the exact one is. */
export type ColumnKind = 'text' | 'number' | 'uuid' | 'jsonb' | 'timestamptz';

export interface ColumnNeed {
  names: readonly string[];
  kind: ColumnKind;
  severity: Severity;
  /** What is lost without it: a whole sentence for the log. */
  lost: string;
}

/** Values that a CHECK must let pass. */
export interface ValueNeed {
  column: string;
  values: readonly string[];
  severity: Severity;
  lost: string;
}

/** A trigger, recognised by what its function says, since names differ between databases. */
export interface TriggerNeed {
  event: 'insert' | 'update';
  mentions: string;
  severity: Severity;
  lost: string;
}

export interface UniqueNeed {
  columns: readonly string[];
  severity: Severity;
  lost: string;
}

export interface PrivilegeNeed {
  privileges: readonly string[];
  severity: Severity;
  lost: string;
}

export interface TableNeed {
  severity: Severity;
  lost: string;
  columns: readonly ColumnNeed[];
  /** Shorter columns refuse what we write there. */
  lengths?: Readonly<Record<string, number>>;
  values?: readonly ValueNeed[];
  triggers?: readonly TriggerNeed[];
  unique?: readonly UniqueNeed[];
  privileges: readonly PrivilegeNeed[];
  /** The columns of our INSERT: any other one that is NOT NULL without a default refuses it. */
  inserted?: readonly string[];
}

const noJob = 'No job can be accepted or handed to a worker.';
const noMirror = 'The state of a job cannot be written where the product reads it.';
const noEvidence = 'What an attempt did cannot be read, so a possible submission would go unnoticed.';

/** What our statements in src/db take for granted of the neighbours' tables (ghosthands §3, valet §4.1). */
export const foreignTables: Readonly<Record<string, TableNeed>> = {
  gh_automation_jobs: {
    severity: 'fatal',
    lost: noJob,
    columns: [
      { names: ['id', 'user_id'], kind: 'uuid', severity: 'fatal', lost: noJob },
      {
        names: [
          'created_by',
          'job_type',
          'target_url',
          'task_description',
          'status',
          'worker_affinity',
          'target_worker_id',
          'callback_url',
          'valet_task_id',
          'idempotency_key',
          'execution_mode',
        ],
        kind: 'text',
        severity: 'fatal',
        lost: noJob,
      },
      { names: ['input_data', 'metadata', 'resume_ref', 'tags'], kind: 'jsonb', severity: 'fatal', lost: noJob },
      { names: ['priority', 'timeout_seconds', 'max_retries'], kind: 'number', severity: 'fatal', lost: noJob },
      { names: ['last_heartbeat', 'started_at', 'completed_at', 'paused_at'], kind: 'timestamptz', severity: 'fatal', lost: noMirror },
      {
        names: ['worker_id', 'status_message', 'result_summary', 'error_code', 'interaction_type', 'final_mode'],
        kind: 'text',
        severity: 'fatal',
        lost: noMirror,
      },
      { names: ['error_details', 'interaction_data', 'result_data', 'screenshot_urls'], kind: 'jsonb', severity: 'fatal', lost: noMirror },
      { names: ['browser_mode'], kind: 'text', severity: 'degraded', lost: 'The product cannot read the status of a job on its own path.' },
      {
        names: ['execution_attempt_id'],
        kind: 'uuid',
        severity: 'degraded',
        lost: 'GH’s workers fail at the first step of every attempt and send no heartbeat (ghosthands §3.1).',
      },
      {
        names: ['llm_cost_cents', 'action_count', 'total_tokens'],
        kind: 'number',
        severity: 'degraded',
        lost: 'GH’s workers cannot write how an attempt ended, and the product cannot read the table at all (ghosthands §3.1, valet §4.1).',
      },
    ],
    lengths: {
      created_by: 10,
      job_type: 10,
      status: 15,
      error_code: 50,
      worker_id: 100,
      target_worker_id: 100,
      idempotency_key: 255,
      valet_task_id: 255,
      status_message: 1_000,
    },
    values: [
      {
        column: 'status',
        values: ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled', 'expired'],
        severity: 'fatal',
        lost: noMirror,
      },
      {
        column: 'worker_affinity',
        values: ['strict'],
        severity: 'fatal',
        lost: 'No row can be aimed at one worker, so two would claim it.',
      },
      { column: 'job_type', values: jobTypes, severity: 'degraded', lost: 'Jobs of that type are refused.' },
      {
        column: 'status',
        values: ['needs_human', 'awaiting_review'],
        severity: 'note',
        lost: 'GH main: a form that waits for review is known by its event alone (ghosthands §5.5).',
      },
      { column: 'execution_mode', values: executionModes, severity: 'note', lost: 'Jobs that ask for this mode are refused.' },
    ],
    triggers: [
      {
        event: 'update',
        mentions: 'status_change',
        severity: 'degraded',
        lost: 'The moment of a claim is unknown, and the product’s timeline has no changes of status.',
      },
      {
        event: 'update',
        mentions: 'updated_at',
        severity: 'degraded',
        lost: 'updated_at stands still, by which the product sorts and polls.',
      },
      {
        event: 'insert',
        mentions: 'gh_job_created',
        severity: 'note',
        lost: 'Nothing of ours: we notify the workers ourselves. Rows of others wait for a poll.',
      },
    ],
    unique: [
      { columns: ['id'], severity: 'fatal', lost: 'One job could have two rows.' },
      { columns: ['idempotency_key'], severity: 'degraded', lost: 'GH’s own API can accept a job twice under a key that we hold.' },
    ],
    privileges: [
      { privileges: ['SELECT', 'INSERT', 'UPDATE'], severity: 'fatal', lost: noJob },
      { privileges: ['DELETE'], severity: 'degraded', lost: 'Ended attempts stay for ever: retention ends in an error.' },
    ],
    inserted: [
      ...[
        'id',
        'user_id',
        'created_by',
        'job_type',
        'target_url',
        'task_description',
        'input_data',
        'metadata',
        'resume_ref',
        'tags',
        'priority',
      ],
      ...['timeout_seconds', 'max_retries', 'execution_mode', 'status', 'worker_affinity'],
    ],
  },
  gh_job_events: {
    severity: 'fatal',
    lost: noEvidence,
    columns: [
      { names: ['id', 'job_id'], kind: 'uuid', severity: 'fatal', lost: noEvidence },
      { names: ['event_type', 'to_status', 'message', 'actor'], kind: 'text', severity: 'fatal', lost: noEvidence },
      { names: ['metadata'], kind: 'jsonb', severity: 'fatal', lost: noEvidence },
      { names: ['created_at'], kind: 'timestamptz', severity: 'fatal', lost: noEvidence },
    ],
    lengths: { event_type: 25, actor: 100 },
    unique: [{ columns: ['id'], severity: 'fatal', lost: 'Progress cannot be copied to the product without doubling it.' }],
    privileges: [{ privileges: ['SELECT', 'INSERT'], severity: 'fatal', lost: noEvidence }],
    inserted: ['id', 'job_id', 'event_type', 'message', 'metadata', 'actor', 'created_at'],
  },
  gh_worker_registry: {
    severity: 'fatal',
    lost: 'No worker can be found.',
    columns: [
      {
        names: ['worker_id', 'status', 'target_worker_id', 'ec2_instance_id', 'ec2_ip'],
        kind: 'text',
        severity: 'fatal',
        lost: 'No worker can be found.',
      },
      { names: ['last_heartbeat'], kind: 'timestamptz', severity: 'fatal', lost: 'A dead worker would be given jobs.' },
      { names: ['current_job_id'], kind: 'uuid', severity: 'degraded', lost: 'Ended attempts stay for ever: retention ends in an error.' },
    ],
    unique: [{ columns: ['worker_id'], severity: 'fatal', lost: 'One worker could be given two jobs at once.' }],
    privileges: [{ privileges: ['SELECT'], severity: 'fatal', lost: 'No worker can be found.' }],
  },
  sandboxes: {
    severity: 'degraded',
    lost: 'A job that names a sandbox as its worker waits for a worker of that name.',
    columns: [
      {
        names: ['id'],
        kind: 'uuid',
        severity: 'degraded',
        lost: 'A job that names a sandbox as its worker waits for a worker of that name.',
      },
      {
        names: ['instance_id'],
        kind: 'text',
        severity: 'degraded',
        lost: 'A job that names a sandbox as its worker waits for a worker of that name.',
      },
    ],
    privileges: [
      { privileges: ['SELECT'], severity: 'degraded', lost: 'A job that names a sandbox as its worker waits for a worker of that name.' },
    ],
  },
};

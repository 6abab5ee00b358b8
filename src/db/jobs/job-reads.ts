import type { Affinity, AttemptState, ExecutionMode, HumanKind, JobState, JobType, Submission } from '../../contracts/job';
import { statesForPerson } from '../../domain/job-state';
import type { Queryable } from '../queryable';
import { inWords } from '../words';

/** A job as lists show it: no personal data, no result. */
export interface JobSummary {
  jobId: string;
  generation: number;
  state: JobState;
  reason: string;
  detail: string;
  stateAt: Date;
  userId: string;
  taskId: string | null;
  priority: number;
  acceptedAt: Date;
  /** Null for a state without one. */
  deadlineAt: Date | null;
  /** Only with a terminal state, whatever the job row says (ghosthands §3.4). */
  completedAt: Date | null;
  humanKind: HumanKind | null;
  submission: Submission;
  errorCode: string | null;
  attemptCount: number;
  worker: { workerId: string; host: string | null } | null;
}

export interface JobFilter {
  states: readonly JobState[] | null;
  userId: string | null;
  taskId: string | null;
  /** Jobs that this worker has, or had in any attempt. */
  workerId: string | null;
  /** Waiting for a person, the nearest deadline first; otherwise newest first. */
  needsAttention: boolean;
  after: JobCursor | null;
  rows: number;
}

/** Where a page ended. In microseconds since 1970, since a JavaScript date would lose them and with them rows. */
export interface JobCursor {
  atMicros: number;
  jobId: string;
}

export interface JobPage {
  jobs: JobSummary[];
  next: JobCursor | null;
}

export const listJobs = async (db: Queryable, filter: JobFilter): Promise<JobPage> => {
  const { rows } = await db.query<JobSummaryRow>(filter.needsAttention ? listByDeadline : listNewestFirst, [
    filter.states,
    filter.userId,
    filter.taskId,
    filter.workerId,
    filter.after?.atMicros ?? null,
    filter.after?.jobId ?? null,
    filter.rows + 1,
  ]);
  const last = rows.length > filter.rows ? rows[filter.rows - 1] : undefined;
  return {
    jobs: rows.slice(0, filter.rows).map(toSummary),
    next: last === undefined ? null : { atMicros: Number(last.cursor_at), jobId: last.job_id },
  };
};

const summaryColumns = `
  j.job_id, j.generation, j.state, j.reason, j.detail, j.state_at, j.user_id, j.valet_task_id, j.priority, j.accepted_at,
  nullif(j.deadline_at, 'infinity') as deadline_at, j.ended_at, j.human_kind, j.submission, j.error_code, j.attempts, a.worker_id, a.host`;

/** The jobs of a worker are looked up first, as an array: the planner would rather look for them in all jobs from the newest on. */
const filters = `
  ($1::text[] is null or j.state = any($1::text[]))
  and ($2::uuid is null or j.user_id = $2::uuid)
  and ($3::text is null or j.valet_task_id = $3::text)
  and ($4::text is null or j.job_id = any(array(select w.job_id from yardmaster.attempt w where w.worker_id = $4::text)))`;

const microsOf = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const cursorAt = `timestamptz 'epoch' + $5::bigint * interval '1 microsecond'`;
/** No deadline sorts last. Not `infinity`, which has no place in microseconds. */
const deadline = `coalesce(nullif(j.deadline_at, 'infinity'), timestamptz '2200-01-01')`;

const listNewestFirst = `
select ${summaryColumns}, ${microsOf('j.accepted_at')} as cursor_at
from yardmaster.job j left join yardmaster.attempt a on a.attempt_id = j.attempt_id
where ${filters}
  and ($5::bigint is null or (j.accepted_at, j.job_id) < (${cursorAt}, $6::uuid))
order by j.accepted_at desc, j.job_id desc
limit $7::int`;

const listByDeadline = `
select ${summaryColumns}, ${microsOf(deadline)} as cursor_at
from yardmaster.job j left join yardmaster.attempt a on a.attempt_id = j.attempt_id
where j.state ${inWords(statesForPerson)} and ${filters}
  and ($5::bigint is null or (${deadline}, j.job_id) > (${cursorAt}, $6::uuid))
order by ${deadline}, j.job_id
limit $7::int`;

export interface JobDetails extends JobSummary {
  jobType: JobType | null;
  /** Null when its owner has deleted the row. */
  targetUrl: string | null;
  executionMode: ExecutionMode | null;
  timeoutSeconds: number;
  attemptsMax: number;
  wantedWorker: { wantedId: string; affinity: Affinity } | null;
  acceptedBy: string;
  requestId: string;
  callbackUrl: string | null;
  /** Back-off: not assigned before. */
  notBefore: Date | null;
  jobDeadlineAt: Date;
  isRerunByGh: boolean;
  isCancelRequested: boolean;
  errorMessage: string | null;
  attempts: AttemptSummary[];
  timeline: Transition[];
  callbacksSent: SentCallback[];
  callbacksReceived: number;
}

export interface AttemptSummary {
  attemptId: string;
  generation: number;
  number: number;
  workerId: string;
  host: string | null;
  instanceId: string | null;
  state: AttemptState;
  endReason: string | null;
  submission: Submission;
  errorCode: string | null;
  assignedAt: Date;
  claimedAt: Date | null;
  endedAt: Date | null;
}

export interface Transition {
  generation: number;
  at: Date;
  state: JobState;
  reason: string;
  detail: string;
  attemptId: string | null;
  workerId: string | null;
}

/** A callback to the product without its body, which may hold personal data. */
export interface SentCallback {
  generation: number;
  seq: number;
  word: string;
  isFinal: boolean;
  createdAt: Date;
  tries: number;
  /** Null once it is settled. */
  nextTryAt: Date | null;
  settledAt: Date | null;
  settledAs: 'delivered' | 'superseded' | 'given_up' | 'refused' | null;
  lastError: string | null;
}

/** Null when no such job. Several statements: the caller's transaction decides whether they see one moment. Each list holds the newest `rows`. */
export const findJobDetails = async (db: Queryable, jobId: string, { rows: most }: { rows: number }): Promise<JobDetails | null> => {
  const { rows } = await db.query<JobDetailsRow>(
    `select ${summaryColumns}, 0 as cursor_at, g.job_type, g.target_url, g.execution_mode, j.timeout_seconds, j.attempts_max, j.wanted_worker, j.affinity,
       j.accepted_by, j.request_id, j.callback_url, case when j.not_before > now() then j.not_before end as not_before,
       j.job_deadline_at, j.is_rerun_by_gh, j.cancel_requested_at is not null as is_cancel_requested, j.error_message,
       (select count(*)::int from yardmaster.received_callback r join yardmaster.attempt t using (attempt_id) where t.job_id = j.job_id) as received
     from yardmaster.job j
     left join yardmaster.attempt a on a.attempt_id = j.attempt_id
     left join gh_automation_jobs g on g.id = j.job_id
     where j.job_id = $1::uuid`,
    [jobId],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return {
    ...toDetails(row),
    attempts: await listAttempts(db, jobId, most),
    timeline: await listTransitions(db, jobId, most),
    callbacksSent: await listCallbacks(db, jobId, most),
  };
};

const listAttempts = async (db: Queryable, jobId: string, most: number): Promise<AttemptSummary[]> => {
  const { rows } = await db.query<AttemptSummary>(
    `select attempt_id as "attemptId", generation, number, worker_id as "workerId", host, instance_id as "instanceId", state,
       end_reason as "endReason", submission, error_code as "errorCode", assigned_at as "assignedAt", claimed_at as "claimedAt", ended_at as "endedAt"
     from yardmaster.attempt where job_id = $1::uuid order by generation desc, number desc limit $2::int`,
    [jobId, most],
  );
  return rows.toReversed();
};

const listTransitions = async (db: Queryable, jobId: string, most: number): Promise<Transition[]> => {
  const { rows } = await db.query<Transition>(
    `select generation, at, state, reason, detail, attempt_id as "attemptId", worker_id as "workerId"
     from yardmaster.job_transition where job_id = $1::uuid order by seq desc limit $2::int`,
    [jobId, most],
  );
  return rows.toReversed();
};

const listCallbacks = async (db: Queryable, jobId: string, most: number): Promise<SentCallback[]> => {
  const { rows } = await db.query<SentCallback>(
    `select generation, seq, word, is_final as "isFinal", created_at as "createdAt", tries,
       case when settled_at is null then next_try_at end as "nextTryAt", settled_at as "settledAt", settled_as as "settledAs", last_error as "lastError"
     from yardmaster.callback where job_id = $1::uuid order by generation desc, seq desc limit $2::int`,
    [jobId, most],
  );
  return rows.toReversed();
};

interface JobSummaryRow {
  job_id: string;
  generation: number;
  state: JobState;
  reason: string;
  detail: string;
  state_at: Date;
  user_id: string;
  valet_task_id: string | null;
  priority: number;
  accepted_at: Date;
  deadline_at: Date | null;
  ended_at: Date | null;
  human_kind: HumanKind | null;
  submission: Submission;
  error_code: string | null;
  attempts: number;
  worker_id: string | null;
  host: string | null;
  cursor_at: string;
}

interface JobDetailsRow extends JobSummaryRow {
  job_type: JobType | null;
  target_url: string | null;
  execution_mode: ExecutionMode | null;
  timeout_seconds: number;
  attempts_max: number;
  wanted_worker: string | null;
  affinity: Affinity;
  accepted_by: string;
  request_id: string;
  callback_url: string | null;
  not_before: Date | null;
  job_deadline_at: Date;
  is_rerun_by_gh: boolean;
  is_cancel_requested: boolean;
  error_message: string | null;
  received: number;
}

const toSummary = (row: JobSummaryRow): JobSummary => ({
  jobId: row.job_id,
  generation: row.generation,
  state: row.state,
  reason: row.reason,
  detail: row.detail,
  stateAt: row.state_at,
  userId: row.user_id,
  taskId: row.valet_task_id,
  priority: row.priority,
  acceptedAt: row.accepted_at,
  deadlineAt: row.ended_at === null ? row.deadline_at : null,
  completedAt: row.ended_at,
  humanKind: row.human_kind,
  submission: row.submission,
  errorCode: row.error_code,
  attemptCount: row.attempts,
  worker: row.worker_id === null ? null : { workerId: row.worker_id, host: row.host },
});

const toDetails = (row: JobDetailsRow): Omit<JobDetails, 'attempts' | 'timeline' | 'callbacksSent'> => ({
  ...toSummary(row),
  jobType: row.job_type,
  targetUrl: row.target_url,
  executionMode: row.execution_mode,
  timeoutSeconds: row.timeout_seconds,
  attemptsMax: row.attempts_max,
  wantedWorker: row.wanted_worker === null ? null : { wantedId: row.wanted_worker, affinity: row.affinity },
  acceptedBy: row.accepted_by,
  requestId: row.request_id,
  callbackUrl: row.callback_url,
  notBefore: row.not_before,
  jobDeadlineAt: row.job_deadline_at,
  isRerunByGh: row.is_rerun_by_gh,
  isCancelRequested: row.is_cancel_requested,
  errorMessage: row.error_message,
  callbacksReceived: row.received,
});

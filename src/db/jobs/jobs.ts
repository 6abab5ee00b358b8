import type { CommandKind } from '../../contracts/command';
import type { AttemptState, HumanKind, JobState, JobType, JobView, Submission } from '../../contracts/job';
import { isTerminal } from '../../domain/job-state';
import { callAssigner } from './assign';
import { queryNamed, type Queryable } from '../queryable';

/** A job as its record says, with the attempt that it is about now. */
export interface Job {
  jobId: string;
  generation: number;
  state: JobState;
  reason: string;
  detail: string;
  stateAt: Date;
  owner: string | null;
  userId: string;
  valetTaskId: string | null;
  jobType: JobType;
  acceptedAt: Date;
  timeoutSeconds: number;
  attemptsMax: number;
  tries: number;
  notBefore: Date | null;
  deadlineAt: Date | null;
  jobDeadlineAt: Date;
  submission: Submission;
  humanKind: HumanKind | null;
  isRerunByGh: boolean;
  isOwnerInDoubt: boolean;
  isCancelRequested: boolean;
  errorCode: string | null;
  errorMessage: string | null;
  hasCallbackUrl: boolean;
  hasPendingCallbacks: boolean;
  openCommands: ('cancel' | 'resume')[];
  /** Retries and resolves that nobody has carried out yet. */
  openMessages: ('retry' | 'resolve')[];
  endedAt: Date | null;
  attempt: {
    attemptId: string;
    number: number;
    workerId: string;
    host: string | null;
    state: AttemptState;
    claimedAt: Date | null;
  } | null;
  /** The database's clock when this was read. */
  now: Date;
}

/** Null when no such job. `lock` takes the row for the rest of the transaction. */
export const findJob = async (db: Queryable, jobId: string, { lock = false } = {}): Promise<Job | null> => {
  // A statement of its own: one that waits for the row would see the rest, the attempt above all, as it was before the wait.
  const locked = lock ? queryNamed(db, { name: 'lock_job', text: lockStatement, values: [jobId] }) : undefined;
  const [, { rows }] = await Promise.all([locked, queryNamed<JobRow>(db, { name: 'find_job', text: findStatement, values: [jobId] })]);
  return rows[0] === undefined ? null : toJob(rows[0]);
};

const lockStatement = `select from yardmaster.job where job_id = $1::uuid for update`;

/** Of a job `j`, with `jobJoins`. */
export const jobColumns = `j.job_id, j.generation, j.state, j.reason, j.detail, j.state_at, j.owner, j.user_id, j.valet_task_id, j.accepted_at, j.timeout_seconds,
  j.attempts_max, case when j.not_before > now() then j.not_before end as not_before, j.deadline_at, j.job_deadline_at, j.submission, j.human_kind, j.is_rerun_by_gh, j.is_owner_in_doubt,
  j.cancel_requested_at, j.error_code, j.error_message, j.callback_url is not null as has_callback_url, j.ended_at, j.attempt_id,
  g.job_type, a.number as attempt_number, a.worker_id, a.host, a.state as attempt_state, a.claimed_at, clock_timestamp() as now,
  (select count(*)::int from yardmaster.attempt t
      where t.job_id = j.job_id and t.generation = j.generation and t.claimed_at is not null) as tries,
  exists (select from yardmaster.callback c
    where c.job_id = j.job_id and c.settled_at is null) as has_pending_callbacks,
  array(select o.kind from yardmaster.command o
    where o.job_id = j.job_id and o.ended_at is null order by o.kind) as open_commands`;
export const jobJoins = `
left join yardmaster.attempt a on a.attempt_id = j.attempt_id
left join gh_automation_jobs g on g.id = j.job_id`;

const findStatement = `select ${jobColumns} from yardmaster.job j ${jobJoins} where j.job_id = $1::uuid`;

/** Of these jobs, the ones that have not ended. */
export const listLiveJobs = async (db: Queryable, jobIds: string[]): Promise<string[]> => {
  if (jobIds.length === 0) return [];
  const { rows } = await db.query<{ job_id: string }>(
    `select job_id from yardmaster.job where job_id = any($1::uuid[]) and ended_at is null`,
    [jobIds],
  );
  return rows.map(({ job_id: jobId }) => jobId);
};

/**
 * Makes this workflow the only writer of a job that has not ended; an earlier run's writes find no row any more. A new job that has no worker yet begins
 * to wait for one by it, for as long as it may since it was accepted. Answers the job as it is then; null when there is none.
 */
export const openJob = async (
  db: Queryable,
  { jobId, owner, waitMs }: { jobId: string; owner: string; waitMs: number },
): Promise<Job | null> => {
  const { rows } = await queryNamed<JobRow & { is_current: boolean }>(db, {
    name: 'open_job',
    text: `
     with before as materialized (
       select j as was, j.xmin as version, j.state = 'accepted' and j.cancel_requested_at is null as is_new
       from yardmaster.job j where j.job_id = $1::uuid for update
     ), opened as (
       update yardmaster.job j set
         owner = $2, touched_at = now(),
         state = case when is_new then 'waiting' else state end,
         reason = case when is_new then 'no_worker_yet' else reason end,
         state_at = case when is_new then now() else state_at end,
         deadline_at = case when is_new then least(state_at + $3::bigint * interval '1 ms', job_deadline_at) else deadline_at end
       from before where j.job_id = (before.was).job_id and (before.was).ended_at is null
       returning j.*
     ), entry as (
       insert into yardmaster.job_transition (job_id, generation, state, reason)
       select job_id, generation, 'waiting', 'no_worker_yet' from opened cross join before where is_new
     )
     select ${jobColumns}, ${isCurrent('before.version')} as is_current, (select ${callAssigner} where before.is_new) as called
     from before
     cross join lateral (select * from opened union all select (before.was).* where not exists (select from opened)) j ${jobJoins}`,
    values: [jobId, owner, waitMs],
  });
  const [row] = rows;
  if (row === undefined) return null;
  return row.is_current ? toJob(row) : await findJob(db, jobId);
};

/**
 * Of a statement that locks the job of $1 and reads what belongs to it: had nobody changed the job since its snapshot? Otherwise it has waited for somebody, has the job
 * as it is now, and all else as it was before.
 */
export const isCurrent = (version: string): string => `(${version} = (select s.xmin from yardmaster.job s where s.job_id = $1::uuid))`;

/** A change of state; what is left out keeps its value, and `null` clears. */
export interface Move {
  jobId: string;
  generation: number;
  state: JobState;
  reason: string;
  detail?: string;
  /** Milliseconds from now, bounded by the job's own deadline; null: nothing to wait for. */
  deadlineInMs: number | null;
  notBeforeInMs?: number | null;
  humanKind?: HumanKind | null;
  submission?: Submission;
  errorCode?: string | null;
  errorMessage?: string | null;
  /** GH was seen to run the application again by itself; never unseen. */
  isRerunByGh?: boolean;
  attempt: { attemptId: string; workerId: string } | null;
  /** What becomes of its attempt by the same step. */
  work?: AttemptWork;
}

export interface AttemptWork {
  /** The claim is seen: disarm, so that nothing GH re-queues is claimable again. The claim's moment is the database's, from the status trigger. */
  claim?: { claimedAt: Date | null };
  end?: AttemptEnd;
}

/** `isWorkerFree`: its process ended the row itself, so it takes the next job as soon as its browser is closed. */
export interface AttemptEnd {
  endReason: string;
  submission: Submission;
  errorCode: string | null;
  hasLeftWaiter: boolean;
  isWorkerFree: boolean;
}

/** Three steps of a statement: what becomes of an attempt, its row and its worker. `workValues` are the values from `$n` on. */
export const workSteps = (attemptId: string, n: number): string => `
     worked as (
       update yardmaster.attempt set
         claimed_at = case when $${n}::boolean and state = 'assigned' then coalesce(claimed_at, $${n + 1}::timestamptz, now()) else claimed_at end,
         state = case when $${n + 2}::text is not null then 'ended' when $${n}::boolean and state = 'assigned' then 'running' else state end,
         ended_at = case when $${n + 2}::text is not null then now() end, end_reason = $${n + 2}, submission = coalesce($${n + 3}, submission),
         error_code = $${n + 4}, has_left_waiter = coalesce($${n + 5}::boolean, has_left_waiter)
       where attempt_id = ${attemptId}::uuid and ended_at is null and ($${n}::boolean or $${n + 2}::text is not null)
       returning worker_id, host, ended_at
     ), disarmed as (
       update gh_automation_jobs set target_worker_id = null
       where id = ${attemptId}::uuid and target_worker_id is not null and ($${n}::boolean or $${n + 2}::text is not null)
     ), freed as (
       update yardmaster.host_probe p set active_jobs = 0, freed_at = now()
       from worked w where $${n + 6}::boolean and w.ended_at is not null and p.host = w.host and p.worker_id = w.worker_id
     )`;
export const workValues = ({ claim, end }: AttemptWork = {}): unknown[] => [
  claim !== undefined,
  claim?.claimedAt ?? null,
  end?.endReason ?? null,
  end?.submission ?? null,
  end?.errorCode ?? null,
  end?.hasLeftWaiter ?? null,
  end?.isWorkerFree ?? false,
];

/** Writes the state, what becomes of the attempt, and the line of the timeline. Whether the move is allowed is the caller's question (src/domain/job-state.ts). */
export const moveJob = async (db: Queryable, move: Move): Promise<void> => {
  const isEnd = isTerminal(move.state);
  await queryNamed(db, {
    name: 'move_job',
    text: `
     with ${workSteps('$13', 16)}, moved as (
       update yardmaster.job set
         state = $3, reason = $4, detail = $5, state_at = now(), touched_at = now(), is_owner_in_doubt = false,
         deadline_at = case when $6::bigint is null then null
           else least(now() + $6::bigint * interval '1 ms', case when $3 = 'uncertain' then 'infinity' else job_deadline_at end) end,
         not_before = now() + $7::bigint * interval '1 ms',
         attempt_id = case when $3 = 'waiting' then null else attempt_id end,
         human_kind = $8,
         submission = coalesce($9, submission),
         error_code = $10, error_message = $11,
         ended_at = case when $12::boolean then now() end,
         is_rerun_by_gh = is_rerun_by_gh or $15::boolean
       where job_id = $1::uuid
       returning job_id
     ), entry as (
       insert into yardmaster.job_transition (job_id, generation, state, reason, detail, attempt_id, worker_id)
       select job_id, $2::int, $3, $4, $5, $13::uuid, $14 from moved
     )
     select ${callAssigner} from moved where $3 = 'waiting' or exists (select from worked where ended_at is not null)`,
    values: [
      move.jobId,
      move.generation,
      move.state,
      move.reason,
      move.detail ?? '',
      move.deadlineInMs,
      move.notBeforeInMs ?? null,
      move.humanKind ?? null,
      move.submission ?? null,
      move.errorCode ?? null,
      move.errorMessage ?? null,
      isEnd,
      move.attempt?.attemptId ?? null,
      move.attempt?.workerId ?? null,
      move.isRerunByGh ?? false,
      ...workValues(move.work),
    ],
  });
};

/** Says that the workflow looked at the job and left it as it is, and whether its worker has to be examined. */
export const touchJob = async (
  db: Queryable,
  { jobId, isOwnerInDoubt, isRerunByGh }: { jobId: string; isOwnerInDoubt: boolean; isRerunByGh: boolean },
): Promise<void> => {
  await queryNamed(db, {
    name: 'touch_job',
    text: `update yardmaster.job set touched_at = now(), is_owner_in_doubt = $2, is_rerun_by_gh = is_rerun_by_gh or $3 where job_id = $1::uuid`,
    values: [jobId, isOwnerInDoubt, isRerunByGh],
  });
};

/** Notes that the workflow has checked a job that only waits, so that the sweep does not wake it for a while. Its back-off may be over. */
export const touchWaitingJob = async (db: Queryable, jobId: string): Promise<void> => {
  await queryNamed(db, {
    name: 'touch_waiting_job',
    text: `
     with touched as (
       update yardmaster.job set touched_at = now(), not_before = case when not_before > now() then not_before end
       where job_id = $1::uuid returning state
     )
     select ${callAssigner} from touched where state = 'waiting'`,
    values: [jobId],
  });
};

/** Opens the next life of a job whose last one has ended; everything but the request itself starts anew. */
export const openNextGeneration = async (
  db: Queryable,
  { jobId, actor, jobMs }: { jobId: string; actor: string; jobMs: number },
): Promise<void> => {
  await db.query(
    `with opened as (
       update yardmaster.job set
         generation = generation + 1, state = 'accepted', reason = 'retried', detail = $2, state_at = now(), touched_at = now(),
         attempt_id = null, not_before = null, deadline_at = null, human_kind = null, submission = 'no', is_rerun_by_gh = false,
         is_owner_in_doubt = false, cancel_requested_at = null, error_code = null, error_message = null, callback_seq = 0, ended_at = null,
         job_deadline_at = now() + $3::bigint * interval '1 ms'
       where job_id = $1::uuid and ended_at is not null
       returning job_id, generation
     ), entry as (
       insert into yardmaster.job_transition (job_id, generation, state, reason, detail) select job_id, generation, 'accepted', 'retried', $2 from opened
     )
     select ${callAssigner} from opened`,
    [jobId, `retried by ${actor}`, jobMs],
  );
};

/** What a workflow may know of a job: no personal data. */
export const viewJob = (job: Job, doubtRecheckMs: number): JobView => ({
  jobId: job.jobId,
  generation: job.generation,
  state: job.state,
  reason: job.reason,
  detail: job.detail,
  attempt:
    job.attempt === null
      ? null
      : { attemptId: job.attempt.attemptId, number: job.attempt.number, workerId: job.attempt.workerId, host: job.attempt.host },
  userId: job.userId,
  submission: job.submission,
  humanKind: job.humanKind,
  isRerunByGh: job.isRerunByGh,
  errorCode: job.errorCode,
  wakeInMs: wakeInMs(job, doubtRecheckMs),
  isOwnerInDoubt: job.isOwnerInDoubt,
  openCommands: job.openCommands,
  hasPendingCallbacks: job.hasPendingCallbacks,
});

const wakeInMs = (job: Job, doubtRecheckMs: number): number | null => {
  const waits = job.deadlineAt === null ? [] : [Math.max(0, job.deadlineAt.getTime() - job.now.getTime())];
  // A back-off that is over waits for a worker, not for the clock. One that ends while the step runs was not over to those who assign: theirs is the
  // step's first moment, and their next look comes a second later.
  if (job.notBefore !== null) waits.push(Math.max(0, job.notBefore.getTime() - job.now.getTime()));
  if (job.isOwnerInDoubt) waits.push(doubtRecheckMs);
  return waits.length === 0 ? null : Math.min(...waits);
};

export interface JobRow {
  job_id: string;
  generation: number;
  state: JobState;
  reason: string;
  detail: string;
  state_at: Date;
  owner: string | null;
  user_id: string;
  valet_task_id: string | null;
  job_type: JobType | null;
  accepted_at: Date;
  timeout_seconds: number;
  attempts_max: number;
  tries: number;
  not_before: Date | null;
  deadline_at: Date | null;
  job_deadline_at: Date;
  submission: Submission;
  human_kind: HumanKind | null;
  is_rerun_by_gh: boolean;
  is_owner_in_doubt: boolean;
  cancel_requested_at: Date | null;
  error_code: string | null;
  error_message: string | null;
  has_callback_url: boolean;
  has_pending_callbacks: boolean;
  open_commands: CommandKind[];
  ended_at: Date | null;
  attempt_id: string | null;
  attempt_number: number | null;
  worker_id: string | null;
  host: string | null;
  attempt_state: AttemptState | null;
  claimed_at: Date | null;
  now: Date;
}

export const toJob = (row: JobRow): Job => ({
  jobId: row.job_id,
  generation: row.generation,
  state: row.state,
  reason: row.reason,
  detail: row.detail,
  stateAt: row.state_at,
  owner: row.owner,
  userId: row.user_id,
  valetTaskId: row.valet_task_id,
  // The public row may have been deleted by its owner; the job then goes on as an application, the careful case.
  jobType: row.job_type ?? 'apply',
  acceptedAt: row.accepted_at,
  timeoutSeconds: row.timeout_seconds,
  attemptsMax: row.attempts_max,
  tries: row.tries,
  notBefore: row.not_before,
  deadlineAt: row.deadline_at,
  jobDeadlineAt: row.job_deadline_at,
  submission: row.submission,
  humanKind: row.human_kind,
  isRerunByGh: row.is_rerun_by_gh,
  isOwnerInDoubt: row.is_owner_in_doubt,
  isCancelRequested: row.cancel_requested_at !== null,
  errorCode: row.error_code,
  errorMessage: row.error_message,
  hasCallbackUrl: row.has_callback_url,
  hasPendingCallbacks: row.has_pending_callbacks,
  openCommands: row.open_commands.filter((kind) => kind === 'cancel' || kind === 'resume'),
  openMessages: row.open_commands.filter((kind) => kind === 'retry' || kind === 'resolve'),
  endedAt: row.ended_at,
  attempt:
    row.attempt_id === null || row.worker_id === null || row.attempt_state === null
      ? null
      : {
          attemptId: row.attempt_id,
          number: row.attempt_number ?? 0,
          workerId: row.worker_id,
          host: row.host,
          state: row.attempt_state,
          claimedAt: row.claimed_at,
        },
  now: row.now,
});

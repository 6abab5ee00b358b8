import { randomUUID } from 'node:crypto';
import type { JobState } from '../../contracts/job';
import type { Limits } from '../../contracts/limits';
import type { WorkerAct, WorkerActOutcome, WorkerActView } from '../../contracts/worker-act';
import { findHoldName } from '../../domain/host-address';
import { lockAssigning } from '../jobs/assign';
import { recordAct, type Actor } from '../audit';
import { findWorker, type FleetLimits, type FleetWorker } from './fleet';
import { holdHost, isHeldBy, makeRecycleHolder, makeWorkerHolder } from './holds';
import type { Queryable } from '../queryable';

/**
 * Drains and recycles live in the audit: one line when they came, one when they ended, both with the same `actId`. Nothing else has to know of them,
 * and nobody may change a line.
 */
export interface NewWorkerAct extends Actor {
  workerId: string;
  act: WorkerAct;
  reason: string;
  deadlineMs: number | null;
  isForced: boolean;
  /** Of a drain; without it only a release ends its hold. */
  holdMs?: number;
  /** Its workflow, which finds what the gateway has written and held: a release since then counts. */
  isFollowUp: boolean;
}

export interface OpenedAct {
  view: WorkerActView;
  /** Null: its row went after the act was written. */
  worker: FleetWorker | null;
  /** Of its deadline, by the database's clock. */
  remainingMs: number | null;
}

/**
 * Writes the act and holds the worker's host in the caller's transaction, or joins the one that is under way. Nothing is assigned meanwhile, so that
 * whoever looks at its job afterwards sees the last one. Null when nobody registered that worker.
 */
export const openWorkerAct = async (
  db: Queryable,
  limits: FleetLimits & Pick<Limits, 'recycleHoldMs' | 'drainLostMs'>,
  act: NewWorkerAct,
): Promise<OpenedAct | null> => {
  await lockAssigning(db);
  const worker = await findWorker(db, limits, act.workerId);
  const last = await findLastWorkerAct(db, limits, act);
  const isNew = last === null || last.endedAt !== null;
  if (worker === null && (isNew || !act.isFollowUp)) return null;
  if (isNew) {
    const { actor, source, address, reason, deadlineMs, isForced } = act;
    const detail = { actId: randomUUID(), reason, deadlineMs, force: isForced };
    await recordAct(db, { actor, source, address, act: act.act, subjectKind: 'worker', subject: act.workerId, detail });
  }
  if (worker !== null && (isNew || !act.isFollowUp)) {
    await holdWorker(db, worker, {
      holder: act.act === 'drain' ? makeWorkerHolder(act) : makeRecycleHolder(act),
      reason: act.reason,
      actor: act.actor,
      expiresInMs: act.act === 'drain' ? (act.holdMs ?? null) : limits.recycleHoldMs,
    });
  }
  const view = await findLastWorkerAct(db, limits, act);
  if (view === null) throw new Error('an act that was just written is not there');
  const { rows } = await db.query<{ remaining: number | null }>(
    `select (extract(epoch from $1::timestamptz - now()) * 1000)::float8 as remaining`,
    [view.deadlineAt],
  );
  return { view, worker, remainingMs: rows[0]?.remaining ?? null };
};

export const holdWorker = async (
  db: Queryable,
  worker: Pick<FleetWorker, 'host' | 'instanceId'>,
  hold: { holder: string; reason: string; actor: string; expiresInMs: number | null },
): Promise<void> => {
  const host = findHoldName(worker);
  if (host !== null) await holdHost(db, { host, ...hold });
};

/** Until somebody releases it. One that could not be held has nothing to be released from. */
export const isDrainHeld = async (
  db: Queryable,
  { workerId, worker }: { workerId: string; worker: FleetWorker | null },
): Promise<boolean> => (worker !== null && findHoldName(worker) === null) || (await isHeldBy(db, makeWorkerHolder({ workerId })));

/**
 * The newest one of that kind, with the job that it is about: the one noted at its end, else the worker's present one. One that nobody has ended is over
 * all the same soon after its deadline, so that the next one is another.
 */
export const findLastWorkerAct = async (
  db: Queryable,
  { drainLostMs }: Pick<Limits, 'drainLostMs'>,
  { workerId, act }: { workerId: string; act: WorkerAct },
): Promise<WorkerActView | null> => {
  const { rows } = await db.query<Row>(
    `select b.detail ->> 'actId' as act_id, b.actor, b.detail ->> 'reason' as reason, b.at as started_at,
       b.at + (b.detail ->> 'deadlineMs')::bigint * interval '1 ms' as deadline_at, f.is_forced,
       e.at as ended_at, e.outcome, coalesce(e.detail ->> 'detail', '') as detail, j.job_id, j.state as job_state,
       now() > b.at + ((b.detail ->> 'deadlineMs')::bigint + $3::bigint) * interval '1 ms' as is_overdue
     from yardmaster.audit b
     cross join lateral (
       -- Who joins it may force it.
       select coalesce(bool_or((f.detail ->> 'force')::boolean), false) as is_forced from yardmaster.audit f
       where f.subject = b.subject and f.act in (b.act, b.act || '_joined') and f.detail ->> 'actId' = b.detail ->> 'actId'
     ) f
     left join lateral (
       select * from yardmaster.audit e
       where e.subject = b.subject and e.act = b.act || '_ended' and e.detail ->> 'actId' = b.detail ->> 'actId' order by e.audit_id limit 1
     ) e on true
     left join yardmaster.attempt a on e.at is null and a.worker_id = b.subject and a.ended_at is null
     left join yardmaster.job j on j.job_id = coalesce((e.detail ->> 'jobId')::uuid, a.job_id)
     where b.subject_kind = 'worker' and b.subject = $1 and b.act = $2 order by b.audit_id desc limit 1`,
    [workerId, act, drainLostMs],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const deadlineAt = row.deadline_at?.toISOString() ?? null;
  const isLost = row.ended_at === null && row.is_overdue === true;
  return {
    actId: row.act_id,
    act,
    workerId,
    actor: row.actor,
    reason: row.reason,
    startedAt: row.started_at.toISOString(),
    deadlineAt,
    isForced: row.is_forced,
    endedAt: isLost ? deadlineAt : (row.ended_at?.toISOString() ?? null),
    outcome: isLost ? 'deadline_passed' : row.outcome,
    detail: isLost ? 'Its workflow was terminated or never came: nobody can tell what is still there' : row.detail,
    job: row.job_id === null || row.job_state === null ? null : { jobId: row.job_id, state: row.job_state },
  };
};

/** Once; said again it changes nothing. */
export const endWorkerAct = async (
  db: Queryable,
  end: { workerId: string; act: WorkerAct; actId: string; outcome: WorkerActOutcome; detail: string; jobId: string | null },
): Promise<void> => {
  await db.query(
    `insert into yardmaster.audit (actor, source, act, subject_kind, subject, outcome, detail)
     select actor, source, act || '_ended', subject_kind, subject, $4, jsonb_build_object('actId', $3::text, 'detail', $5::text, 'jobId', $6::text)
     from yardmaster.audit b
     where b.subject_kind = 'worker' and b.subject = $1 and b.act = $2 and b.detail ->> 'actId' = $3
       and not exists (select from yardmaster.audit e where e.subject = b.subject and e.act = b.act || '_ended' and e.detail ->> 'actId' = $3)`,
    [end.workerId, end.act, end.actId, end.outcome, end.detail, end.jobId],
  );
};

interface Row {
  act_id: string;
  actor: string;
  reason: string;
  started_at: Date;
  deadline_at: Date | null;
  is_forced: boolean;
  ended_at: Date | null;
  /** Null without a deadline. */
  is_overdue: boolean | null;
  outcome: WorkerActOutcome | null;
  detail: string;
  job_id: string | null;
  job_state: JobState | null;
}

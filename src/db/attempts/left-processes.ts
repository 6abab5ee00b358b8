import type { Limits } from '../../contracts/limits';
import type { LeftBy, LeftProcess } from '../../domain/left-process';
import { callAssigner } from '../jobs/assign';
import { isOrphaned } from './orphaned-attempts';
import { queryNamed, type Queryable } from '../queryable';

/** Why the process of the attempt `a` of the job `j` has to be replaced before its worker can have a job; null: it has not. */
const leftBy = `case
  when a.ended_at is not null then case when a.has_left_waiter then 'waiter' end
  when a.claimed_at is null then null
  when ${isOrphaned} then 'end'
  when j.state = 'uncertain' and j.reason in ('review_timeout', 'blocker_timeout') then j.reason end`;

/** Both are few, and each has a partial index. */
const mayBeLeft = `(a.ended_at is null or a.has_left_waiter)`;

const selectLeft = `
select l.attempt_id as "attemptId", l.job_id as "jobId", l.worker_id as "workerId", l.by, l.host, yardmaster.machine_name(r.ec2_ip) as "registeredHost",
  r.worker_id is not null as "isRegistered", l.release_tries as tries, l.release_problem as problem,
  coalesce(l.release_next_at <= now(), true) as "isDue",
  (extract(epoch from now() - l.begun_at) * 1000)::float8 as "claimedAgeMs", (extract(epoch from now() - l.ended_at) * 1000)::float8 as "endedAgeMs"
from (
  select a.attempt_id, a.job_id, a.worker_id, a.host, a.ended_at, a.assigned_at, a.release_tries, a.release_next_at, a.release_problem,
    coalesce(a.claimed_at, a.assigned_at) as begun_at, ${leftBy} as by
  from yardmaster.attempt a join yardmaster.job j using (job_id)
  where ${mayBeLeft}
) l left join gh_worker_registry r using (worker_id)
where l.by is not null`;

/** Those that a job has left behind and that nobody has begun to replace. */
export const findUntriedLeftProcess = async (db: Queryable, jobId: string): Promise<{ attemptId: string; workerId: string } | null> => {
  const { rows } = await queryNamed<LeftProcess>(db, {
    name: 'find_untried_left_process',
    text: `${selectLeft} and l.job_id = $1::uuid and l.release_tries = 0 order by l.assigned_at desc limit 1`,
    values: [jobId],
  });
  const [left] = rows;
  return left === undefined ? null : { attemptId: left.attemptId, workerId: left.workerId };
};

export const findLeftProcess = async (db: Queryable, attemptId: string): Promise<LeftProcess | null> => {
  const { rows } = await db.query<LeftProcess>(`${selectLeft} and l.attempt_id = $1::uuid`, [attemptId]);
  return rows[0] ?? null;
};

/** All of them, or those of one job; the newest last. */
export const listLeftProcesses = async (
  db: Queryable,
  { jobId = null, fleetRowsMax }: { jobId?: string | null } & Pick<Limits, 'fleetRowsMax'>,
): Promise<LeftProcess[]> => {
  const { rows } = await queryNamed<LeftProcess>(db, {
    name: 'list_left_processes',
    text: `${selectLeft} and ($1::uuid is null or l.job_id = $1::uuid) order by l.assigned_at limit $2::int`,
    values: [jobId, fleetRowsMax],
  });
  return rows;
};

/** A try begins: whoever looks meanwhile leaves it alone until `leaseMs` are over. */
export const noteReleaseTry = async (db: Queryable, { attemptId, leaseMs }: { attemptId: string; leaseMs: number }): Promise<void> => {
  await db.query(
    `update yardmaster.attempt set release_tries = release_tries + 1, release_next_at = now() + $2::bigint * interval '1 ms'
     where attempt_id = $1::uuid`,
    [attemptId, leaseMs],
  );
};

/** The try did not help; the next one comes later each time. */
export const noteReleaseProblem = async (
  db: Queryable,
  { attemptId, problem, firstMs, maxMs }: { attemptId: string; problem: string; firstMs: number; maxMs: number },
): Promise<void> => {
  await db.query(
    `update yardmaster.attempt set release_tries = greatest(release_tries, 1), release_problem = $2,
       release_next_at = now() + least($3::float8 * 2 ^ least(greatest(release_tries, 1) - 1, 20), $4::float8) * interval '1 ms'
     where attempt_id = $1::uuid`,
    [attemptId, problem, firstMs, maxMs],
  );
};

/**
 * The process at that address is another one, or none: what attempts of this worker left behind there is gone with it. Answers the jobs that
 * still mean such an attempt, whose workflow ends it.
 */
export const settleLeftProcesses = async (
  db: Queryable,
  { workerId, host }: { workerId: string; host: string },
): Promise<{ jobId: string; attemptId: string }[]> => {
  const { rows } = await db.query<{ job_id: string; attempt_id: string; by: LeftBy }>(
    `select a.job_id, a.attempt_id, ${leftBy} as by from yardmaster.attempt a join yardmaster.job j using (job_id)
     where ${mayBeLeft} and a.worker_id = $1 and a.host = $2 and ${leftBy} is not null for update of a`,
    [workerId, host],
  );
  await db.query(
    `update yardmaster.attempt a set has_left_waiter = false, release_next_at = null, release_problem = null,
       state = case when left_by.by = 'end' then 'ended' else a.state end,
       ended_at = case when left_by.by = 'end' then now() else a.ended_at end,
       end_reason = case when left_by.by = 'end' then 'stopped' else a.end_reason end
     from jsonb_to_recordset($1::jsonb) as left_by(attempt_id uuid, by text) where a.attempt_id = left_by.attempt_id
     returning ${callAssigner}`,
    [JSON.stringify(rows)],
  );
  return rows
    .filter(({ by }) => by === 'review_timeout' || by === 'blocker_timeout')
    .map((row) => ({ jobId: row.job_id, attemptId: row.attempt_id }));
};

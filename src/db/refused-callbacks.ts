import type { Queryable } from './queryable';

/** Once a minute an attempt at most, since whoever sends it has shown nothing; an attempt that is none of ours leaves no trace. */
export const noteRefusedCallback = async (db: Queryable, attemptId: string): Promise<void> => {
  await db.query(
    `update yardmaster.attempt set callback_refused_at = now()
     where attempt_id = $1::uuid and (callback_refused_at is null or callback_refused_at < now() - interval '1 min')`,
    [attemptId],
  );
};

/** The workers whose last word was refused lately: nothing of theirs was believed since. */
export const listRefusedWorkers = async (
  db: Queryable,
  { sinceMs, rows: limit }: { sinceMs: number; rows: number },
): Promise<{ workerId: string; attempts: number; refusedAt: Date }[]> => {
  const { rows } = await db.query<{ workerId: string; attempts: number; refusedAt: Date }>(
    `select worker_id as "workerId", count(*)::int as attempts, max(callback_refused_at) as "refusedAt"
     from yardmaster.attempt
     where callback_refused_at > now() - $1::bigint * interval '1 ms'
     group by worker_id
     having not exists (
       select from yardmaster.attempt a join yardmaster.received_callback c using (attempt_id)
       where a.worker_id = attempt.worker_id and c.received_at > max(attempt.callback_refused_at))
     order by worker_id limit $2::int`,
    [sinceMs, limit],
  );
  return rows;
};

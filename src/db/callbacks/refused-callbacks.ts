import type { Queryable } from '../queryable';

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
    `with refused as materialized (
       select worker_id, callback_refused_at from yardmaster.attempt where callback_refused_at > now() - $1::bigint * interval '1 ms'
     )
     select r.worker_id as "workerId", count(*)::int as attempts, max(r.callback_refused_at) as "refusedAt"
     from refused r
     group by r.worker_id
     having not exists (
       select from yardmaster.received_callback c where c.worker_id = r.worker_id and c.received_at > max(r.callback_refused_at))
     order by r.worker_id limit $2::int`,
    [sinceMs, limit],
  );
  return rows;
};

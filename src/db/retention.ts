import type { Queryable } from './queryable';

/**
 * Deletes what is older than the retention, a batch at a time: ended jobs with all that belongs to them, their attempt rows in GH's table unless a
 * registry row still points at one, reports, and what was said of hosts that are gone. The public job row is the product's and stays. Answers the number of jobs.
 */
export const pruneOldRows = async (db: Queryable, { olderThanMs, rows: limit }: { olderThanMs: number; rows: number }): Promise<number> => {
  await db.query(
    `delete from yardmaster.received_callback where received_id in (
       select received_id from yardmaster.received_callback where received_at < now() - $1::bigint * interval '1 ms' order by received_at limit $2::int)`,
    [olderThanMs, limit * 10],
  );
  await db.query(
    `delete from yardmaster.sweep_report where sweep_id in (
       select sweep_id from yardmaster.sweep_report where started_at < now() - least($1::bigint, 86400000) * interval '1 ms' order by started_at limit $2::int)`,
    [olderThanMs, limit * 10],
  );
  // Hosts that nobody has asked for so long are gone.
  await db.query(
    `delete from yardmaster.host_probe where host in (
       select host from yardmaster.host_probe where probed_at < now() - $1::bigint * interval '1 ms' order by probed_at limit $2::int)`,
    [olderThanMs, limit * 10],
  );
  // A day later nobody wonders any more why a host was held.
  await db.query(
    `delete from yardmaster.host_hold where (host, holder) in (
       select host, holder from yardmaster.host_hold where expires_at < now() - interval '1 day' order by expires_at limit $1::int)`,
    [limit * 10],
  );
  const { rowCount } = await db.query(
    `with old as (
       select job_id from yardmaster.job j
       where j.ended_at < now() - $1::bigint * interval '1 ms'
         and not exists (select from yardmaster.callback c where c.job_id = j.job_id and c.settled_at is null)
         and not exists (select from yardmaster.attempt a where a.job_id = j.job_id and a.ended_at is null)
         and not exists (select from yardmaster.attempt a join gh_worker_registry r on r.current_job_id = a.attempt_id where a.job_id = j.job_id)
       order by j.ended_at limit $2::int
     ), rows_of_gh as (
       delete from gh_automation_jobs g using yardmaster.attempt a, old where a.job_id = old.job_id and g.id = a.attempt_id
     )
     delete from yardmaster.job j using old where j.job_id = old.job_id`,
    [olderThanMs, limit],
  );
  return rowCount ?? 0;
};

import type { SweepReport } from '../contracts/sweep';
import type { Queryable } from './queryable';

export const saveSweepReport = async (db: Queryable, { startedAt, counts, items }: SweepReport & { startedAt: Date }): Promise<void> => {
  await db.query(`insert into yardmaster.sweep_report (started_at, counts, items) values ($1, $2::jsonb, $3::jsonb)`, [
    startedAt,
    JSON.stringify(counts),
    JSON.stringify(items),
  ]);
};

/** What the newest pass counted; null before the first. */
export const findLastSweep = async (db: Queryable): Promise<{ startedAt: Date; endedAt: Date; counts: SweepReport['counts'] } | null> => {
  const { rows } = await db.query<{ startedAt: Date; endedAt: Date; counts: SweepReport['counts'] }>(
    `select started_at as "startedAt", ended_at as "endedAt", counts from yardmaster.sweep_report order by sweep_id desc limit 1`,
  );
  return rows[0] ?? null;
};

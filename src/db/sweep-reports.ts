import type { SweepReport } from '../contracts/sweep';
import type { Queryable } from './queryable';

export const saveSweepReport = async (db: Queryable, { startedAt, counts, items }: SweepReport & { startedAt: Date }): Promise<void> => {
  await db.query(`insert into yardmaster.sweep_report (started_at, counts, items) values ($1, $2::jsonb, $3::jsonb)`, [
    startedAt,
    JSON.stringify(counts),
    JSON.stringify(items),
  ]);
};

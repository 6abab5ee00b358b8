import type { SweepKind, SweepReport } from '../../contracts/sweep';
import type { Queryable } from '../queryable';

export const saveSweepReport = async (db: Queryable, report: SweepReport & { startedAt: Date }): Promise<void> => {
  await db.query(
    `insert into yardmaster.sweep_report (started_at, kind, is_dry_run, counts, items) values ($1, $2, $3, $4::jsonb, $5::jsonb)`,
    [report.startedAt, report.kind, report.isDryRun, JSON.stringify(report.counts), JSON.stringify(report.items)],
  );
};

/** By the database's clock and rows, so that any orchestrator, however new, knows what the next pass is. */
export const isFullSweepDue = async (db: Queryable, { everyMs }: { everyMs: number }): Promise<boolean> => {
  const { rows } = await db.query<{ due: boolean }>(
    `select not exists (select from yardmaster.sweep_report
       where kind = 'full' and not is_dry_run and started_at > now() - $1::int * interval '1 ms') as due`,
    [everyMs],
  );
  return rows[0]?.due ?? true;
};

/** Since the last pass ended that was no dry run; null before the first. */
export const readLastSweepAge = async (db: Queryable): Promise<number | null> => {
  const { rows } = await db.query<{ age: number }>(
    `select extract(epoch from now() - ended_at)::float8 as age from yardmaster.sweep_report where not is_dry_run order by sweep_id desc limit 1`,
  );
  return rows[0]?.age ?? null;
};

export type LastSweep = Omit<SweepReport, 'isDryRun'> & { startedAt: Date; endedAt: Date };

/** What the newest pass found, of any kind or of this one; null before the first. One that only looked is not among them. */
export const findLastSweep = async (db: Queryable, { kind = null }: { kind?: SweepKind | null } = {}): Promise<LastSweep | null> => {
  const { rows } = await db.query<LastSweep>(
    `select started_at as "startedAt", ended_at as "endedAt", kind, counts, items from yardmaster.sweep_report
     where not is_dry_run and ($1::text is null or kind = $1) order by sweep_id desc limit 1`,
    [kind],
  );
  return rows[0] ?? null;
};

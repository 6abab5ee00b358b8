import { sweepFindings, type SweepItem, type SweepReport } from '../../src/contracts/sweep';
import { findLastSweep } from '../../src/db/fleet/sweep-reports';
import { listNewFindings } from '../../src/domain/new-findings';
import type { SweepDeps } from './pass';

/**
 * A line for each thing that the pass did, or found and the last one did not: at most as many as a report lists. Compared with the last full pass as well,
 * since a light one does not see all of it.
 */
export const logFindings = async ({ pool, log }: Pick<SweepDeps, 'pool' | 'log'>, { kind, counts, items }: SweepReport): Promise<void> => {
  if (Object.keys(counts).length === 0) return;
  const earlier = await Promise.all([findLastSweep(pool), findLastSweep(pool, { kind: 'full' })]);
  const newFindings = listNewFindings(
    items,
    earlier.flatMap((report) => report?.items ?? []),
  );
  for (const item of newFindings) {
    const { weight, meaning } = sweepFindings[item.finding];
    log.log(weight === 'alarm' ? 'warn' : 'info', `The sweep: ${meaning}`, { ...fieldsOf(item), kind });
  }
  // Some repairs are counted, and not listed; a long list is cut.
  if (newFindings.length > 0 || isCountedOnly({ counts, items })) log.info('A pass of the sweep has found something', { kind, counts });
};

const fieldsOf = (item: SweepItem): object => {
  const { of } = sweepFindings[item.finding];
  return { ...item, ...(of === null ? {} : { [of]: item.subject }) };
};

const isCountedOnly = ({ counts, items }: Pick<SweepReport, 'counts' | 'items'>): boolean => {
  const listed = new Set<string>(items.map(({ finding }) => finding));
  return Object.keys(counts).some((finding) => !listed.has(finding));
};

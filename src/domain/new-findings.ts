import { sweepFindings, type SweepItem } from '../contracts/sweep';

/** What is new in a pass: every repair, since each was done now, and whatever those before it have not reported. Much of it stays for days. */
export const listNewFindings = (items: readonly SweepItem[], earlier: readonly SweepItem[]): SweepItem[] => {
  const known = new Set(earlier.map(keyOf));
  return items.filter((item) => sweepFindings[item.finding].weight === 'repair' || !known.has(keyOf(item)));
};

/** Without the ages in the detail, which grow from pass to pass. */
const keyOf = ({ finding, subject, detail, before, after }: SweepItem): string =>
  JSON.stringify([finding, subject, detail.replaceAll(/\d+ s\b/g, ''), before, after]);

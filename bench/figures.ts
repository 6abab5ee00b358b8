/** One line of the result. `goal` bounds the ratio, or `ours` itself where an absolute figure was promised. */
export interface Figure {
  name: string;
  unit: 'ms' | 'jobs/s' | 'count' | 'MB' | 'kB';
  ours: number;
  baseline: number;
  goal?: { of: 'ratio' | 'ours'; atMost?: number; atLeast?: number };
}

export const ratioOf = ({ ours, baseline }: Figure): number => (baseline === 0 ? Number.NaN : ours / baseline);

export const isMet = (figure: Figure): boolean | null => {
  if (figure.goal === undefined) return null;
  const value = figure.goal.of === 'ratio' ? ratioOf(figure) : figure.ours;
  return value <= (figure.goal.atMost ?? Infinity) && value >= (figure.goal.atLeast ?? -Infinity);
};

/** What `--json` writes. */
export const toJson = (figures: readonly Figure[]): string =>
  `${JSON.stringify(
    figures.map((figure) => ({
      name: figure.name,
      unit: figure.unit,
      ours: round(figure.ours),
      baseline: round(figure.baseline),
      ratio: round(ratioOf(figure)),
      goal: figure.goal ?? null,
      isMet: isMet(figure),
    })),
    null,
    2,
  )}\n`;

export const toTable = (figures: readonly Figure[]): string => {
  const rows = figures.map((figure) => [
    figure.name,
    figure.unit,
    show(figure.ours),
    show(figure.baseline),
    show(ratioOf(figure)),
    describeGoal(figure),
  ]);
  const all = [['measure', 'unit', 'ours', 'baseline', 'ratio', 'goal'], ...rows];
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column] ?? 0, column))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

const describeGoal = (figure: Figure): string => {
  const { goal } = figure;
  if (goal === undefined) return '';
  const bound = goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
  return `${goal.of} ${bound}: ${isMet(figure) === true ? 'met' : 'MISSED'}`;
};

const pad = (cell: string, width: number, column: number): string =>
  column >= 2 && column <= 4 ? cell.padStart(width) : cell.padEnd(width);

const round = (value: number): number => Number(value.toPrecision(4));
const show = (value: number): string => (Number.isFinite(value) ? String(round(value)) : '–');

/** One line of the demo's table. */
export interface DemoRow {
  title: string;
  jobId: string;
  state: string;
  reason: string;
  attempts: number;
  worker: string;
  callbacks: string;
  seconds: string;
}

const columns: readonly (keyof DemoRow)[] = ['title', 'state', 'reason', 'attempts', 'worker', 'callbacks', 'seconds', 'jobId'];

export const formatTable = (rows: readonly DemoRow[]): string => {
  const cells = [columns.map(String), ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_column, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** Redraws in place at a terminal; elsewhere prints a line for each change, so that a log stays readable. */
export const createTableView = (out: NodeJS.WriteStream): { show(rows: readonly DemoRow[]): void } => {
  let drawn = 0;
  let last = new Map<string, string>();
  return {
    show(rows) {
      const now = new Map(rows.map((row) => [row.jobId, `${row.state} (${row.reason})`]));
      if (out.isTTY) {
        const table = formatTable(rows);
        if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[J`);
        out.write(`${table}\n`);
        drawn = table.split('\n').length;
      } else {
        for (const row of rows) {
          if (last.get(row.jobId) !== now.get(row.jobId)) out.write(`${row.seconds.padStart(6)}  ${row.title}: ${now.get(row.jobId)}\n`);
        }
      }
      last = now;
    },
  };
};

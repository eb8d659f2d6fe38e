const colors = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: number, text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text);

/** Prints what is being done, does it, and prints how long it took. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  process.stdout.write(`  ${what} …`);
  const result = await work();
  process.stdout.write(` ${paint(2, `${Math.round(performance.now() - startedAt)} ms`)}\n`);
  return result;
}

/** One thing that was shown, and its measurement. */
export interface Row {
  readonly package: string;
  readonly shown: string;
  readonly measured: string;
  /** Absent if it could not be shown here. */
  readonly ok?: boolean;
}

/** Prints the table of what was shown. */
export function table(rows: readonly Row[]): void {
  const columns = ['package', 'shown', 'measured'] as const;
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) => cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  process.stdout.write(`\n  ${paint(1, line(columns))}\n`);
  for (const row of rows) {
    const mark = row.ok === undefined ? '–' : row.ok ? paint(32, '✓') : paint(31, '✗');
    process.stdout.write(`${mark} ${line(columns.map((column) => row[column]))}\n`);
  }
}

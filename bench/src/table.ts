import { type Figure, formatNumber, isMet, type Wanted } from './figure.js';

const COLUMNS = ['figure', 'measured', 'middle half', 'wanted', 'met', 'beside'] as const;

/** The figures as a table in plain text. */
export function table(figures: readonly Figure[]): string {
  const rows = [COLUMNS, ...figures.map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [lines[0], rule, ...lines.slice(1)].map((line) => line?.trimEnd()).join('\n');
}

/** The same in Markdown. */
export function markdownTable(figures: readonly Figure[]): string {
  const row = (line: readonly string[]) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(COLUMNS), row(COLUMNS.map(() => '---')), ...figures.map((figure) => row(cells(figure)))].join('\n');
}

function cells(figure: Figure): string[] {
  return [
    figure.figure,
    withUnit(figure.measured, figure.unit),
    figure.middleHalf?.map(formatNumber).join(' to ') ?? '',
    inWords(figure.wanted, figure.unit),
    isMet(figure) ? 'yes' : 'NO',
    figure.beside,
  ];
}

function inWords(wanted: Wanted, unit: string): string {
  if ('below' in wanted) return `< ${withUnit(wanted.below, unit)}`;
  if ('atMost' in wanted) return `≤ ${withUnit(wanted.atMost, unit)}`;
  if ('atLeast' in wanted) return `≥ ${withUnit(wanted.atLeast, unit)}`;
  return withUnit(wanted.exactly, unit);
}

function withUnit(value: number, unit: string): string {
  return `${formatNumber(value)} ${unit}`.trimEnd();
}

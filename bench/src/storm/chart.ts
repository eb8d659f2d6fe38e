import { formatNumber } from '../figure.js';
import type { Run } from './run.js';
import { type LoginCount, perSecond } from './series.js';

/** One contender's storm on one engine. */
export interface Panel {
  readonly row: string;
  readonly column: string;
  readonly run: Run;
}

const PANEL = { width: 430, height: 150, gap: 36, titleHeight: 44 };
const MARGIN = { left: 56, top: 92, right: 24, bottom: 40 };
const COLORS = { admitted: '#2563a8', refused: '#d9622b', limit: '#1a1a1a', text: '#1a1a1a', faint: '#5c5c5c' };
/** The vertical axis ends at this many times the limit. A higher bar is cut off there, with its height written above it. */
const CUT_AT = 2.5;

/**
 * Small multiples as an SVG: a row for each contender and a column for each engine, all at the same scale, to show the storm and
 * the limit.
 */
export function chart(panels: readonly Panel[], limit: number): string {
  const columns = [...new Set(panels.map(({ column }) => column))];
  const rows = [...new Set(panels.map(({ row }) => row))];
  const seconds = Math.max(...panels.map(({ run }) => perSecond(run.per100Ms).length));
  const width = MARGIN.left + columns.length * (PANEL.width + PANEL.gap) - PANEL.gap + MARGIN.right;
  const height = MARGIN.top + rows.length * (PANEL.titleHeight + PANEL.height + PANEL.gap) + MARGIN.bottom - PANEL.gap;
  const drawn = panels.map((panel) => {
    const x = MARGIN.left + columns.indexOf(panel.column) * (PANEL.width + PANEL.gap);
    const y = MARGIN.top + rows.indexOf(panel.row) * (PANEL.titleHeight + PANEL.height + PANEL.gap);
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, limit, seconds)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${COLORS.text}">`,
    '<title>Logins per second of each contender</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(MARGIN.left, 30, `Logins per second that reached a server that admits ${limit}`, 'font-size="18"'),
    legend(MARGIN.left, 56, limit),
    ...drawn,
    text(width / 2, height - 10, 'seconds since all connections were wanted', `text-anchor="middle" ${faint}`),
    '</svg>',
    '',
  ].join('\n');
}

const faint = `fill="${COLORS.faint}"`;

function drawPanel({ row, column, run }: Panel, limit: number, seconds: number): string {
  const { width, height, titleHeight } = PANEL;
  const highest = limit * CUT_AT;
  const toY = (rate: number) => titleHeight + height - (Math.min(rate, highest) / highest) * height;
  const toX = (second: number) => (second / seconds) * width;
  const bars = perSecond(run.per100Ms).map((count, second) =>
    drawBar(count, toX(second) + 1, toX(second + 1) - 1, toY, highest),
  );
  const gridAt = [0, limit, 2 * limit];
  return [
    text(0, 12, `${row} · ${column}`, 'font-weight="bold"'),
    text(0, 28, inWords(run), faint),
    ...gridAt.map((rate) => text(-6, toY(rate) + 4, String(rate), `text-anchor="end" ${faint}`)),
    ...gridAt.map((rate) => `<path d="M0 ${toY(rate)}H${width}" stroke="#d5d5d5"/>`),
    ...bars,
    `<path d="M0 ${toY(limit)}H${width}" stroke="${COLORS.limit}" stroke-width="1.5" stroke-dasharray="5 3"/>`,
    ...ticks(seconds).map((second) =>
      text(toX(second), titleHeight + height + 15, String(second), `text-anchor="middle" ${faint}`),
    ),
  ].join('');
}

function drawBar(
  { admitted, refused }: LoginCount,
  left: number,
  right: number,
  toY: (rate: number) => number,
  highest: number,
): string {
  const all = admitted + refused;
  const parts = [bar(left, right, toY(0), toY(admitted), COLORS.admitted)];
  parts.push(bar(left, right, toY(admitted), toY(all), COLORS.refused));
  if (all > highest) {
    parts.push(text((left + right) / 2, toY(all) - 3, String(all), `text-anchor="middle" fill="${COLORS.refused}"`));
    // A gap near the top shows that the bar continues.
    parts.push(`<path d="M${left - 1} ${toY(all) + 10}L${right + 1} ${toY(all) + 5}" stroke="#fff" stroke-width="3"/>`);
  }
  return parts.join('');
}

function bar(left: number, right: number, bottom: number, top: number, color: string): string {
  if (top === bottom) return '';
  return `<rect x="${round(left)}" y="${round(top)}" width="${round(right - left)}" height="${round(bottom - top)}" fill="${color}"/>`;
}

function legend(x: number, y: number, limit: number): string {
  return [
    `<rect x="${x}" y="${y - 10}" width="12" height="12" fill="${COLORS.admitted}"/>`,
    text(x + 18, y, 'admitted'),
    `<rect x="${x + 90}" y="${y - 10}" width="12" height="12" fill="${COLORS.refused}"/>`,
    text(x + 108, y, 'refused'),
    `<path d="M${x + 172} ${y - 4}h26" stroke="${COLORS.limit}" stroke-width="1.5" stroke-dasharray="5 3"/>`,
    text(x + 204, y, `what the server admits: ${limit} a second`),
  ].join('');
}

function inWords({ wanted, opened, attempts, durationMs }: Run): string {
  const time = `${formatNumber(durationMs / 1_000)} s`;
  return opened === wanted
    ? `all ${wanted} connections opened in ${time}, with ${attempts} logins`
    : `${wanted - opened} of ${wanted} connections failed, ${opened} opened in ${time}, with ${attempts} logins`;
}

function ticks(seconds: number): number[] {
  const step = Math.max(1, Math.ceil(seconds / 10));
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

import { type Figure, formatNumber, isMet, type Wanted } from './figure.js';

const ROW_HEIGHT = 22;
const LABELS = 560;
const AXIS = { width: 360, from: 0.25, to: 4 };
const TOP = 56;
const COLORS = { met: '#2563a8', missed: '#d9622b', text: '#1a1a1a', faint: '#5c5c5c', grid: '#d5d5d5' };

/**
 * The ratios as an SVG: a dot for each median, a bar for the middle half of its rounds, and a tick for the target, all on one
 * logarithmic axis.
 */
export function plot(figures: readonly Figure[]): string {
  const ratios = figures.filter(({ unit }) => unit === '×');
  const width = LABELS + AXIS.width + 90;
  const height = TOP + ratios.length * ROW_HEIGHT + 16;
  const grid = [0.25, 0.5, 1, 2, 4].flatMap((ratio) => [
    `<path d="M${x(ratio)} ${TOP - 8}V${height - 12}" stroke="${COLORS.grid}"${ratio === 1 ? ' stroke-width="2"' : ''}/>`,
    text(x(ratio), TOP - 14, `${ratio} ×`, `text-anchor="middle" fill="${COLORS.faint}"`),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${COLORS.text}">`,
    '<title>Each figure with the middle half of its rounds and what is wanted</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(12, 22, 'Median (dot), middle half of the rounds (bar) and what is wanted (line)', 'font-size="14"'),
    ...grid,
    ...ratios.map((figure, index) => drawRow(figure, TOP + (index + 0.5) * ROW_HEIGHT)),
    '</svg>',
    '',
  ].join('\n');
}

function drawRow(figure: Figure, y: number): string {
  const { measured, middleHalf, wanted } = figure;
  const color = isMet(figure) ? COLORS.met : COLORS.missed;
  const at = x(bound(wanted));
  return [
    text(LABELS - 12, y + 4, figure.figure, 'text-anchor="end"'),
    `<path d="M${at} ${y - 8}v16" stroke="${COLORS.text}" stroke-width="2"/>`,
    middleHalf &&
      `<path d="M${x(middleHalf[0])} ${y}H${x(middleHalf[1])}" stroke="${color}" stroke-width="5" opacity=".4"/>`,
    `<circle cx="${x(measured)}" cy="${y}" r="4" fill="${color}"/>`,
    text(LABELS + AXIS.width + 16, y + 4, `${formatNumber(measured)} ×`, `fill="${color}"`),
  ].join('');
}

function bound(wanted: Wanted): number {
  if ('below' in wanted) return wanted.below;
  if ('atMost' in wanted) return wanted.atMost;
  return 'atLeast' in wanted ? wanted.atLeast : wanted.exactly;
}

function x(ratio: number): number {
  const within = Math.min(Math.max(ratio, AXIS.from), AXIS.to);
  return Math.round(LABELS + (Math.log(within / AXIS.from) / Math.log(AXIS.to / AXIS.from)) * AXIS.width);
}

function text(left: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${left}" y="${y}" ${attributes}>${escaped}</text>`;
}

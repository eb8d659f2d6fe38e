// Measures the built packages, as users get them: tsx keeps function names, at a cost that shows in nanoseconds.
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { cachedToken } from './cached-token.js';
import { coldStart } from './cold-start.js';
import { commandLine } from './command-line.js';
import { connectOverhead } from './connect-overhead.js';
import { type Figure, isMet } from './figure.js';
import { firstCalls } from './first-calls.js';
import { fleetSimulation } from './fleet-simulation.js';
import { frameworks } from './frameworks.js';
import { importTime } from './import-time.js';
import { memory } from './memory.js';
import { mysqlFigures } from './mysql-figures.js';
import { physicalConnections } from './physical-connections.js';
import { plot } from './plot.js';
import { proxy } from './proxy.js';
import { proxyStorm } from './proxy-storm.js';
import { storm } from './storm.js';
import { markdownTable, table } from './table.js';

const RESULTS = new URL('../results/', import.meta.url);
const LATEST = new URL('latest.json', RESULTS);
const PAGE = new URL('../README.md', import.meta.url);

const MEASURES = [
  cachedToken,
  connectOverhead,
  firstCalls,
  physicalConnections,
  coldStart,
  commandLine,
  memory,
  mysqlFigures,
  frameworks,
  importTime,
  proxy,
  proxyStorm,
  storm,
  fleetSimulation,
];
// By name, to measure one again: `pnpm bench frameworks`. With --page, the results also go into README.md.
const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== '--page');
for (const measure of MEASURES.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  process.stderr.write(`measuring ${measure.name} …\n`);
  const figures = await measure();
  process.stdout.write(`\n${table(figures)}\n`);
  await remember(measure.name, figures);
}

const report = await latest();
const figures = MEASURES.flatMap(({ name }) => report[name]?.figures ?? []);
const missed = figures.filter((figure) => !isMet(figure));
const verdict =
  missed.length === 0 ? 'Every figure is met.' : `MISSED: ${missed.map(({ figure }) => figure).join('; ')}`;
process.stdout.write(`\n${table(figures)}\n\n${verdict}\n`);
if (args.includes('--page')) await writePage(figures);

interface Measured {
  readonly at: string;
  readonly node: string;
  readonly figures: readonly Figure[];
}

/** The last result of each measure, by its name. */
async function latest(): Promise<Readonly<Record<string, Measured>>> {
  return existsSync(LATEST) ? JSON.parse(await readFile(LATEST, 'utf8')) : {};
}

async function remember(name: string, figures: readonly Figure[]): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const all = { ...(await latest()), [name]: { at: new Date().toISOString(), node: process.version, figures } };
  await writeFile(LATEST, `${JSON.stringify(all, null, 2)}\n`);
}

/** Puts the table into the page, between its marks, and the plots beside it. */
async function writePage(figures: readonly Figure[]): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const marked = /(<!-- figures -->\n).*(<!-- \/figures -->)/s;
  await writeFile(
    PAGE,
    page.replace(marked, (_, begin, end) => `${begin}\n${markdownTable(figures)}\n\n${end}`),
  );
  await writeFile(new URL('../figures.svg', import.meta.url), plot(figures));
  const drawn = new URL('storm.svg', RESULTS);
  if (existsSync(drawn)) await copyFile(drawn, new URL('../storm.svg', import.meta.url));
}

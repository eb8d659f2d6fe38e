// Measures the built packages, as users get them: tsx keeps the names of functions at a price that shows in nanoseconds.
import { mkdir, writeFile } from 'node:fs/promises';
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
import { proxy } from './proxy.js';
import { storm } from './storm.js';
import { table } from './table.js';

const RESULTS = new URL('../results/', import.meta.url);

const figures: Figure[] = [];
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
  storm,
  fleetSimulation,
];
// By name, to measure one again: `pnpm bench frameworks`.
const wanted = process.argv.slice(2);
for (const measure of MEASURES.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  process.stderr.write(`measuring ${measure.name} …\n`);
  figures.push(...(await measure()));
}

const missed = figures.filter((figure) => !isMet(figure));
const verdict =
  missed.length === 0 ? 'Every figure is met.' : `MISSED: ${missed.map(({ figure }) => figure).join('; ')}`;
process.stdout.write(`\n${table(figures)}\n\n${verdict}\n`);

const measured = figures.map((figure) => ({ ...figure, met: isMet(figure) }));
const report = { at: new Date().toISOString(), node: process.version, figures: measured };
await mkdir(RESULTS, { recursive: true });
await writeFile(new URL('latest.json', RESULTS), `${JSON.stringify(report, null, 2)}\n`);

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Figure, formatNumber } from './figure.js';
import { median, pairRatios, quantile } from './statistics.js';

const run = promisify(execFile);
const PAIRS = 41;
const SCRIPT = fileURLToPath(new URL('./import-time/measure.mjs', import.meta.url));

/** Each package beside what its users import anyway. */
const IMPORTS: readonly (readonly [framework: readonly string[], ours: string])[] = [
  [['typeorm'], '@rds-iam/typeorm'],
  [['knex'], '@rds-iam/knex'],
  [['sequelize'], '@rds-iam/sequelize'],
  [['@sequelize/core', '@sequelize/postgres'], '@rds-iam/sequelize/v7'],
  [['@prisma/client/runtime/client', '@prisma/adapter-pg'], '@rds-iam/prisma'],
];

/** What the import of each package adds to that of its framework, in fresh processes by turns. */
export async function importTime(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [framework, ours] of IMPORTS) {
    const [alone, both]: [number[], number[]] = [[], []];
    for (let pair = 0; pair < PAIRS; pair++) {
      if (pair % 2 === 0) alone.push(await importMs(framework));
      both.push(await importMs([...framework, ours]));
      if (pair % 2 === 1) alone.push(await importMs(framework));
    }
    const ratios = pairRatios(both, alone);
    const [low, high] = [quantile(ratios, 0.25), quantile(ratios, 0.75)].map(formatNumber);
    figures.push({
      figure: `import of ${framework[0]} with ${ours} to that of ${framework[0]} alone`,
      measured: median(ratios),
      unit: '×',
      wanted: { atMost: 1.05 },
      beside: `${formatNumber(median(both))} ms to ${formatNumber(median(alone))} ms; middle half of ${PAIRS} pairs ${low} to ${high}`,
    });
  }
  return figures;
}

async function importMs(names: readonly string[]): Promise<number> {
  const { stdout } = await run(process.execPath, [SCRIPT, ...names], { env: {} });
  return Number(stdout);
}

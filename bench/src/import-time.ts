import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Figure } from './figure.js';
import { ratioOfTimes } from './rounds.js';

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
    figures.push({
      figure: `import of ${framework[0]} with ${ours} to that of ${framework[0]} alone`,
      wanted: { atMost: 1.03 },
      ...(await ratioOfTimes(
        PAIRS,
        () => importMs([...framework, ours]),
        () => importMs(framework),
      )),
    });
  }
  return figures;
}

async function importMs(names: readonly string[]): Promise<number> {
  const { stdout } = await run(process.execPath, [SCRIPT, ...names], { env: {} });
  return Number(stdout);
}

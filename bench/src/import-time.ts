import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Figure } from './figure.js';
import { ratioOfTimes } from './rounds.js';

const run = promisify(execFile);
const PAIRS = 41;
/** How long modules take to import in a new process that imports them all. */
const MEASURE = `
  const startedAt = performance.now();
  await Promise.all(process.argv.slice(1).map((name) => import(name)));
  process.stdout.write(String(performance.now() - startedAt));`;

/** Each package, and what its users import anyway. */
const IMPORTS: readonly (readonly [framework: readonly string[], ours: string])[] = [
  [['typeorm'], '@rds-iam/typeorm'],
  [['knex'], '@rds-iam/knex'],
  [['sequelize'], '@rds-iam/sequelize'],
  [['@sequelize/core', '@sequelize/postgres'], '@rds-iam/sequelize/v7'],
  [['@prisma/client/runtime/client', '@prisma/adapter-pg'], '@rds-iam/prisma'],
];

/** What the import of each package adds to that of its framework, in alternating new processes. */
export async function importTime(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [framework, ours] of IMPORTS) {
    figures.push({
      figure: `import of ${framework[0]} with ${ours} to that of ${framework[0]} alone`,
      wanted: { atMost: 1.03 },
      ...(await ratioOfTimes(
        PAIRS,
        () => importMs([...framework, ours], ours),
        () => importMs(framework, ours),
      )),
    });
  }
  return figures;
}

/** @param from - the package whose copy of the framework it is: another copy would be loaded beside it */
async function importMs(names: readonly string[], from: string): Promise<number> {
  const cwd = fileURLToPath(new URL(`../../packages/${from.split('/')[1]}/`, import.meta.url));
  const args = ['--input-type=module', '--eval', MEASURE, ...names];
  const { stdout } = await run(process.execPath, args, { cwd, env: {} });
  return Number(stdout);
}

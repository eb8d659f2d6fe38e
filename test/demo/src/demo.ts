// What rds-iam is for, shown on a real PostgreSQL: one row of the table per package.
import { startPostgres } from '@rds-iam/test-servers';
import { type DemoRow, demonstratePg } from './pg.js';
import { step, table } from './terminal.js';

const startedAt = performance.now();
const postgres = await step('starting a real PostgreSQL', () => startPostgres());
const rows: DemoRow[] = [];
try {
  rows.push(...(await demonstratePg(postgres)));
} finally {
  await step('stopping PostgreSQL', () => postgres.close());
}
table(rows);
const failed = rows.filter(({ ok }) => !ok);
process.stdout.write(
  `\n${failed.length === 0 ? 'All of it holds.' : `${failed.length} do not hold.`} ${Math.round((performance.now() - startedAt) / 100) / 10} s\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

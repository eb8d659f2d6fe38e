// What rds-iam is for, shown on real databases: one block of rows for each driver, and a row for each
// framework on it.
import { MissingServer } from '@rds-iam/test-servers';
import { demonstrateMysql2 } from './mysql2.js';
import { demonstratePg } from './pg.js';
import { type Row, table } from './terminal.js';

const startedAt = performance.now();
const rows: Row[] = await demonstratePg();
let missing = '';
try {
  rows.push(...(await demonstrateMysql2()));
} catch (error) {
  // The only thing that can be missing on a machine with Node.js: say so, and show the rest.
  if (!(error instanceof MissingServer)) throw error;
  missing = error.message;
  rows.push({
    package: '@rds-iam/mysql2',
    shown: 'not shown, nor frameworks on it: no server here',
    measured: 'see below',
  });
}
table(rows);

const failed = rows.filter(({ ok }) => ok === false).length;
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
const verdict = failed > 0 ? `${failed} do not hold.` : `All that was shown holds.${missing && ` ${missing}`}`;
process.stdout.write(`\n${verdict} ${seconds} s\n`);
process.exitCode = failed === 0 ? 0 : 1;

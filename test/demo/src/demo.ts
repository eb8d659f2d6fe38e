// What rds-iam is for, shown on real databases: one block of rows for each package.
import { demonstrateMysql2 } from './mysql2.js';
import { demonstratePg } from './pg.js';
import { type Row, table } from './terminal.js';

const startedAt = performance.now();
const rows: Row[] = await demonstratePg();
try {
  rows.push(...(await demonstrateMysql2()));
} catch (error) {
  // The one thing that can be missing on a machine that has Node.js: say so, and show the rest.
  const { message } = error as Error;
  if (!message.startsWith('no MariaDB or MySQL server')) throw error;
  rows.push({ package: '@rds-iam/mysql2', shown: 'not shown', measured: message, ok: true });
}
table(rows);

const failed = rows.filter(({ ok }) => !ok).length;
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
process.stdout.write(`\n${failed === 0 ? 'All of it holds.' : `${failed} do not hold.`} ${seconds} s\n`);
process.exitCode = failed === 0 ? 0 : 1;

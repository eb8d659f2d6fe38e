import { startEmulator } from '@rds-iam/emulator';
import { createPool } from '@rds-iam/mysql2/promise';
import { withEmulator } from './emulated.cjs';

await withEmulator(startEmulator, 'mysql', async (login) => {
  const pool = createPool(login);
  const [rows] = await pool.query('select 1 as one');
  await pool.end();
  return rows;
});

import { startEmulator } from '@rds-iam/emulator';
import { Pool } from '@rds-iam/pg';
import { withEmulator } from './emulated.cjs';

await withEmulator(startEmulator, 'postgres', async (login) => {
  const pool = new Pool({ ...login, database: 'postgres' });
  const { rows } = await pool.query('select 1 as one');
  await pool.end();
  return rows;
});

const { startEmulator } = require('@rds-iam/emulator');
const { Pool } = require('@rds-iam/pg');
const { withEmulator } = require('./emulated.cjs');

withEmulator(startEmulator, 'postgres', async (login) => {
  const pool = new Pool({ ...login, database: 'postgres' });
  const { rows } = await pool.query('select 1 as one');
  await pool.end();
  return rows;
});

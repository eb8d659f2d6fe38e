const { startEmulator } = require('@rds-iam/emulator');
const { createPool } = require('@rds-iam/mysql2/promise');
const { withEmulator } = require('./emulated.cjs');

withEmulator(startEmulator, 'mysql', async (login) => {
  const pool = createPool(login);
  const [rows] = await pool.query('select 1 as one');
  await pool.end();
  return rows;
});

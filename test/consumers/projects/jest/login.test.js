const { createPool } = require('@rds-iam/mysql2/promise');
const { isRdsIamError, Pool } = require('@rds-iam/pg');

const iam = {
  region: 'eu-west-1',
  credentials: { accessKeyId: process.env.ACCESS_KEY_ID, secretAccessKey: process.env.SECRET_ACCESS_KEY },
  ca: process.env.CA,
};
const login = { host: '127.0.0.1', user: 'app', database: 'shop', iam };

describe('in a test of Jest', () => {
  test('pg logs in', async () => {
    const pool = new Pool({ ...login, port: Number(process.env.POSTGRES_PORT) });
    const { rows } = await pool.query('select current_user as name');
    expect(rows).toEqual([{ name: 'app' }]);
    await pool.end();
  });

  test('mysql2 logs in', async () => {
    const pool = createPool({ ...login, port: Number(process.env.MYSQL_PORT) });
    const [rows] = await pool.query('select current_user() as name');
    expect(rows).toEqual([{ name: 'app@%' }]);
    await pool.end();
  });

  test('an error is told by its code', async () => {
    const pool = new Pool({ ...login, port: Number(process.env.POSTGRES_PORT), iam: { ...iam, ca: undefined } });
    const error = await pool.connect().catch((error) => error);
    expect(isRdsIamError(error) && error.code).toBe('ERR_RDS_IAM_TLS');
    await pool.end();
  });
});

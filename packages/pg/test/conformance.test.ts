import { describeConformance, type Row, type SubjectOptions } from '@rds-iam/conformance';
import type { PoolClient } from 'pg';
import { Pool, type PoolConfig } from '../src/index.js';

describeConformance({
  name: '@rds-iam/pg',
  engine: 'postgres',
  createPool(options) {
    const pool = new Pool(configOf(options) as PoolConfig);
    pool.on('error', () => {});
    const rowsOf = async (on: Pool | PoolClient, sql: string): Promise<Row[]> => (await on.query<Row>(sql)).rows;
    return {
      query: (sql) => rowsOf(pool, sql),
      async checkout() {
        const client = await pool.connect();
        return {
          query: (sql) => rowsOf(client, sql),
          release: () => client.release(),
          destroy: () => client.release(true),
        };
      },
      end: () => pool.end(),
    };
  },
});

function configOf({
  hostname,
  port,
  username,
  database,
  iam,
  max,
  password,
  withoutTls,
  tls,
  asUrl,
  socket,
}: SubjectOptions) {
  return {
    ...(asUrl
      ? { connectionString: `postgres://${username}@${hostname}:${port}/${database}?sslmode=verify-full` }
      : { host: hostname, port, user: username, database }),
    iam,
    ...(max !== undefined && { max }),
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    ...(socket && { stream: socket }),
  };
}

import type { Row, Subject, SubjectOptions } from '@rds-iam/conformance';
import type { PoolClient } from 'pg';
import { Pool, type PoolConfig } from '../src/index.js';

/** This package's pool, for the suites that every package runs. */
export const subject: Subject = {
  name: '@rds-iam/pg',
  engine: 'postgres',
  createPool(options) {
    const pool = new Pool(configOf(options) as PoolConfig);
    pool.on('error', () => {});
    // Without a listener, a connection that breaks while it is checked out would end the process.
    pool.on('connect', (client) => client.on('error', () => {}));
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
      async transaction(work) {
        const client = await pool.connect();
        try {
          await client.query('begin');
          const result = await work((sql) => rowsOf(client, sql));
          await client.query('commit');
          client.release();
          return result;
        } catch (error) {
          await client.query('rollback').then(
            () => client.release(),
            () => client.release(true),
          );
          throw error;
        }
      },
      end: () => pool.end(),
    };
  },
};

function configOf({
  hostname,
  port,
  username,
  database,
  iam,
  max,
  maxUses,
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
    ...(maxUses !== undefined && { maxUses }),
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    ...(socket && { stream: socket }),
  };
}

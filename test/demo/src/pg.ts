import type { TLSSocket } from 'node:tls';
import { Pool } from '@rds-iam/pg';
import { makeShop, startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import { demonstrate } from './demonstrate.js';
import { demonstrateFrameworks } from './frameworks.js';
import { type Row, step } from './terminal.js';

export async function demonstratePg(): Promise<Row[]> {
  const server = await step('starting a real PostgreSQL', () => startPostgres());
  try {
    await makeShop(server);
    const rows = await demonstrate({
      package: '@rds-iam/pg',
      engine: 'postgres',
      upstream: { hostname: server.hostname, port: server.port },
      sql: { user: 'select current_user', session: 'select pg_backend_pid()' },
      createPool(config) {
        const pool = new Pool(config);
        return {
          async checkout() {
            const client = await pool.connect();
            return {
              async value(sql) {
                const { rows } = await client.query({ text: sql, rowMode: 'array' });
                return rows[0]?.[0];
              },
              socket: (client as unknown as { connection: { stream: TLSSocket } }).connection.stream,
              release: () => client.release(),
              close: () => client.release(true),
            };
          },
          end: () => pool.end(),
        };
      },
      async logInPlainly({ ca, ...config }) {
        const client = new pg.Client({ ...config, ssl: ca === undefined ? false : { ca } });
        await client.connect();
        await client.end();
      },
    });
    return [...rows, ...(await demonstrateFrameworks('postgres', server))];
  } finally {
    await step('stopping PostgreSQL', () => server.close());
  }
}

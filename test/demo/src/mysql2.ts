import type { TLSSocket } from 'node:tls';
import { createPool } from '@rds-iam/mysql2/promise';
import { makeShop, startMariadb } from '@rds-iam/test-servers';
import mysql2, { type RowDataPacket } from 'mysql2/promise';
import { demonstrate } from './demonstrate.js';
import { demonstrateFrameworks } from './frameworks.js';
import { type Row, step } from './terminal.js';

export async function demonstrateMysql2(): Promise<Row[]> {
  const server = await step('starting a real MariaDB or MySQL', () => startMariadb());
  try {
    await makeShop(server);
    const rows = await demonstrate({
      package: '@rds-iam/mysql2',
      engine: 'mysql',
      upstream: { hostname: server.hostname, port: server.port },
      sql: { user: 'select current_user()', session: 'select connection_id()' },
      createPool(config) {
        const pool = createPool({ ...config, connectionLimit: 10 });
        return {
          async checkout() {
            const connection = await pool.getConnection();
            return {
              async value(sql) {
                const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
                return rows[0]?.[0];
              },
              socket: (connection as unknown as { connection: { stream: { socket: TLSSocket } } }).connection.stream
                .socket,
              release: () => connection.release(),
              close: () => connection.destroy(),
            };
          },
          end: () => pool.end(),
        };
      },
      async logInPlainly({ ca, ...config }) {
        const connection = await mysql2.createConnection({
          ...config,
          ...(ca !== undefined && { ssl: { ca } }),
          enableCleartextPlugin: true,
        });
        await connection.end();
      },
    });
    return [...rows, ...(await demonstrateFrameworks('mysql', server))];
  } finally {
    await step('stopping it', () => server.close());
  }
}

import type { Socket } from 'node:net';
import type { Engine, Row, SubjectPool } from '@rds-iam/conformance';
import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { rdsIamOf } from '@rds-iam/core/adapter';
import { createPool } from '@rds-iam/mysql2/promise';
import { Pool } from '@rds-iam/pg';
import type { RowDataPacket } from 'mysql2/promise';

export interface PoolOptions {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly iam: RdsIamOptions | RdsIam;
  readonly max?: number;
  /** After how many checkouts a connection is closed. */
  readonly maxUses?: number;
  /** How long a statement may take, in milliseconds: the driver's own time-out. */
  readonly statementTimeoutMs?: number;
  /** Makes the driver's sockets. */
  readonly socket?: () => Socket;
}

/** A package that all others are based on. */
export interface Driver {
  readonly name: string;
  readonly engine: Engine;
  createPool(options: PoolOptions): SubjectPool;
}

const pgDriver: Driver = {
  name: 'pg',
  engine: 'postgres',
  createPool({ hostname, port, username, database, iam, max = 10, maxUses, statementTimeoutMs, socket }) {
    const pool = new Pool({
      ...{ host: hostname, port, user: username, database, iam: rdsIamOf(iam), max },
      ...(maxUses !== undefined && { maxUses }),
      ...(statementTimeoutMs !== undefined && { query_timeout: statementTimeoutMs }),
      ...(socket && { stream: socket }),
    });
    // Connections break in these tests, checked out or not.
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    return {
      query: async (sql) => (await pool.query<Row>(sql)).rows,
      async checkout() {
        const client = await pool.connect();
        return {
          query: async (sql) => (await client.query<Row>(sql)).rows,
          release: () => client.release(),
          destroy: () => client.release(true),
        };
      },
      async transaction(work) {
        const client = await pool.connect();
        try {
          await client.query('begin');
          const result = await work(async (sql) => (await client.query<Row>(sql)).rows);
          await client.query('commit');
          client.release();
          return result;
        } catch (error) {
          client.release(true);
          throw error;
        }
      },
      end: () => pool.end(),
    };
  },
};

const mysql2Driver: Driver = {
  name: 'mysql2',
  engine: 'mysql',
  createPool({
    hostname,
    port,
    username,
    database,
    iam,
    max = 10,
    maxUses = Number.POSITIVE_INFINITY,
    statementTimeoutMs,
    socket,
  }) {
    const pool = createPool({
      ...{ host: hostname, port, user: username, database, iam: rdsIamOf(iam), connectionLimit: max },
      ...(socket && { stream: ({ config }: Dialed) => socket().connect(config.port, config.host) }),
    });
    // mysql2 has no such option, so this counts like a user would.
    const uses = new WeakMap<object, number>();
    const statement = (sql: string) => ({
      sql,
      ...(statementTimeoutMs !== undefined && { timeout: statementTimeoutMs }),
    });
    return {
      query: async (sql) => (await pool.query<RowDataPacket[]>(statement(sql)))[0],
      async checkout() {
        const connection = await pool.getConnection();
        const used = (uses.get(connection.connection) ?? 0) + 1;
        uses.set(connection.connection, used);
        return {
          query: async (sql) => (await connection.query<RowDataPacket[]>(statement(sql)))[0],
          release: () => (used < maxUses ? connection.release() : connection.destroy()),
          destroy: () => connection.destroy(),
        };
      },
      async transaction(work) {
        const connection = await pool.getConnection();
        try {
          await connection.beginTransaction();
          const result = await work(async (sql) => (await connection.query<RowDataPacket[]>(statement(sql)))[0]);
          await connection.commit();
          connection.release();
          return result;
        } catch (error) {
          connection.destroy();
          throw error;
        }
      },
      end: () => pool.end(),
    };
  },
};

interface Dialed {
  readonly config: { readonly host: string; readonly port: number };
}

export const drivers: readonly Driver[] = [pgDriver, mysql2Driver];

import type { Socket } from 'node:net';
import { describeConformance, type Row, type SubjectOptions, type SubjectPool } from '@rds-iam/conformance';
import type * as mariadb from 'mariadb';
import type * as mysql2 from 'mysql2';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import * as promises from '../src/promise.js';

type DialTo = { readonly host: string; readonly port: number };

describeConformance({
  name: '@rds-iam/mysql2',
  engine: 'mysql',
  createPool: (options) => callbackPool(callbacks.createPool(optionsOf(options) as object as callbacks.PoolOptions)),
});

describeConformance({
  name: '@rds-iam/mysql2/promise',
  engine: 'mysql',
  createPool: (options) => promisePool(promises.createPool(optionsOf(options) as object as promises.PoolOptions)),
});

describeConformance({
  name: 'a cluster of @rds-iam/mysql2/promise',
  engine: 'mysql',
  createPool(options) {
    const cluster = promises.createPoolCluster({ canRetry: false, removeNodeErrorCount: 100 });
    cluster.add('node', optionsOf(options) as object as promises.PoolOptions);
    return promisePool(Object.assign(cluster.of('node'), { end: () => cluster.end() }));
  },
});

describeConformance({
  name: '@rds-iam/mysql2/mariadb',
  engine: 'mysql',
  createPool(options) {
    const { iam, ...fields } = optionsOf(options, 'mariadb');
    const { socket } = options;
    const stream =
      socket &&
      function (this: DialTo, callback: (error: undefined, stream: Socket) => void) {
        callback(undefined, socket().connect(this.port, this.host));
      };
    return connectorPool(connector.createPool({ ...fields, iam, stream } as connector.PoolConfig));
  },
});

function optionsOf(
  { hostname, port, username, database, iam, max, password, withoutTls, tls, asUrl, socket }: SubjectOptions,
  scheme = 'mysql',
) {
  const where = asUrl
    ? { uri: `${scheme}://${username}@${hostname}:${port}/${database}?sslmode=verify-full` }
    : { host: hostname, port, user: username, database };
  return {
    ...where,
    iam,
    ...(max !== undefined && { connectionLimit: max }),
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    ...(socket && { stream: ({ config }: { config: DialTo }) => socket().connect(config.port, config.host) }),
  };
}

function callbackPool(pool: mysql2.Pool): SubjectPool {
  return {
    query: (sql) =>
      new Promise((resolve, reject) => {
        pool.query<mysql2.RowDataPacket[]>(sql, (error, rows) => (error ? reject(error) : resolve(rows)));
      }),
    checkout: () =>
      new Promise((resolve, reject) => {
        pool.getConnection((error, connection) => {
          if (error) return reject(error);
          return resolve({
            query: (sql) =>
              new Promise((done, fail) => {
                connection.execute<mysql2.RowDataPacket[]>(sql, (error, rows) => (error ? fail(error) : done(rows)));
              }),
            release: () => connection.release(),
            destroy: () => connection.destroy(),
          });
        });
      }),
    end: () => new Promise((resolve, reject) => pool.end((error) => (error ? reject(error) : resolve()))),
  };
}

interface PromisedPool {
  query(sql: string): Promise<[unknown, ...unknown[]]>;
  getConnection(): Promise<import('mysql2/promise').PoolConnection>;
  end(): Promise<void>;
}

function promisePool(pool: PromisedPool): SubjectPool {
  return {
    query: async (sql) => (await pool.query(sql))[0] as Row[],
    async checkout() {
      const connection = await pool.getConnection();
      return {
        query: async (sql) => (await connection.query<mysql2.RowDataPacket[]>(sql))[0],
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      };
    },
    end: () => pool.end(),
  };
}

function connectorPool(pool: connector.Pool): SubjectPool {
  return {
    query: (sql) => pool.query<Row[]>(sql),
    async checkout() {
      const connection = (await pool.getConnection()) as mariadb.PoolConnection;
      return {
        query: (sql) => connection.query<Row[]>(sql),
        release: () => void connection.release(),
        destroy: () => connection.destroy(),
      };
    },
    end: () => pool.end(),
  };
}

import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Row, Subject, SubjectOptions, SubjectPool } from '@rds-iam/conformance';
import type * as mariadb from 'mariadb';
import type * as mysql2 from 'mysql2';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import * as promises from '../src/promise.js';

const A_DAY_MS = 86_400_000;

type DialTo = { readonly host: string; readonly port: number };

const callbackForm: Subject = {
  name: '@rds-iam/mysql2',
  engine: 'mysql',
  createPool: (options) => callbackPool(callbacks.createPool(optionsOf(options) as object as callbacks.PoolOptions)),
};

const callbackCluster: Subject = {
  name: 'a cluster of @rds-iam/mysql2',
  engine: 'mysql',
  createPool(options) {
    const poolCluster = callbacks.createPoolCluster({ canRetry: false, removeNodeErrorCount: 100 });
    poolCluster.add('node', optionsOf(options) as object as callbacks.PoolOptions);
    return callbackPool(
      Object.assign(poolCluster.of('node'), { end: poolCluster.end.bind(poolCluster) }) as mysql2.Pool,
    );
  },
};

const promiseForm: Subject = {
  name: '@rds-iam/mysql2/promise',
  engine: 'mysql',
  createPool: (options) => promisePool(promises.createPool(optionsOf(options) as object as promises.PoolOptions)),
};

const cluster: Subject = {
  name: 'a cluster of @rds-iam/mysql2/promise',
  engine: 'mysql',
  createPool(options) {
    const poolCluster = promises.createPoolCluster({ canRetry: false, removeNodeErrorCount: 100 });
    poolCluster.add('node', optionsOf(options) as object as promises.PoolOptions);
    return promisePool(Object.assign(poolCluster.of('node'), { end: () => poolCluster.end() }));
  },
};

export const mariadbConnector: Subject = {
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
    // The scenario's clock jumps by minutes, and the connector's pool uses the clock for its time-outs.
    const patience = options.maxUses !== undefined && { acquireTimeout: A_DAY_MS };
    return connectorPool(connector.createPool({ ...fields, ...patience, iam, stream } as connector.PoolConfig));
  },
};

/** The pools of mysql2. */
export const mysql2Pools = [callbackForm, callbackCluster, promiseForm, cluster];

/** Every pool of this package, for the suites that every package runs. */
export const subjects = [...mysql2Pools, mariadbConnector];

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
    transaction: async (work) => {
      const connection = await promisify(pool.getConnection.bind(pool))();
      return inTransaction(
        {
          beginTransaction: promisify(connection.beginTransaction.bind(connection)),
          commit: promisify(connection.commit.bind(connection)),
          rollback: promisify<void>((done) => connection.rollback((error) => done(error))),
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        },
        () =>
          work(
            (sql) =>
              new Promise((done, fail) => {
                connection.query<mysql2.RowDataPacket[]>(sql, (error, rows) => (error ? fail(error) : done(rows)));
              }),
          ),
      );
    },
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
    async transaction(work) {
      const connection = await pool.getConnection();
      return inTransaction(connection, () =>
        work(async (sql) => (await connection.query<mysql2.RowDataPacket[]>(sql))[0]),
      );
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
    async transaction(work) {
      const connection = (await pool.getConnection()) as mariadb.PoolConnection;
      return inTransaction(connection, () => work((sql) => connection.query<Row[]>(sql)));
    },
    end: () => pool.end(),
  };
}

interface Transactional {
  beginTransaction(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): unknown;
  destroy(): void;
}

async function inTransaction<T>(connection: Transactional, work: () => Promise<T>): Promise<T> {
  try {
    await connection.beginTransaction();
    const result = await work();
    await connection.commit();
    connection.release();
    return result;
  } catch (error) {
    await connection.rollback().then(
      () => connection.release(),
      () => connection.destroy(),
    );
    throw error;
  }
}

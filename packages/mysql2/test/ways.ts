import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import * as promises from '../src/promise.js';

/** Every way to open a physical connection: runs a query, and returns its error or undefined. */
export const WAYS: Readonly<Record<string, (config: object) => Promise<unknown>>> = {
  createConnection: (config) =>
    new Promise((resolve) => {
      const connection = callbacks.createConnection(config as callbacks.ConnectionOptions);
      connection.connect((error) => {
        if (!error) connection.end();
        resolve(error ?? undefined);
      });
    }),
  'pool.query': (config) =>
    withPool(config, (pool, done) => {
      pool.query('select 1', done);
    }),
  'pool.execute': (config) =>
    withPool(config, (pool, done) => {
      pool.execute('select 1', done);
    }),
  'pool.getConnection': (config) =>
    withPool(config, (pool, done) => {
      pool.getConnection((error, connection) => {
        connection?.release();
        done(error);
      });
    }),
  'createConnection of /promise': async (config) =>
    failureOf(async () => {
      const connection = await promises.createConnection(config as promises.ConnectionOptions);
      await connection.end();
    }),
  'pool.query of /promise': async (config) => {
    const pool = promises.createPool(config as promises.PoolOptions);
    return failureOf(() => pool.query('select 1')).finally(() => pool.end());
  },
  'pool.execute of /promise': async (config) => {
    const pool = promises.createPool(config as promises.PoolOptions);
    return failureOf(() => pool.execute('select 1')).finally(() => pool.end());
  },
  'cluster.query of /promise': async (config) => {
    const cluster = promises.createPoolCluster({ canRetry: false });
    cluster.add('node', config as promises.PoolOptions);
    return failureOf(() => cluster.of('*').query('select 1')).finally(() => cluster.end());
  },
  'createConnection of /mariadb': async (config) =>
    failureOf(async () => {
      const connection = await connector.createConnection(config as connector.ConnectionConfig);
      await connection.end();
    }),
  'pool.query of /mariadb': async (config) => {
    const pool = connector.createPool(config as connector.PoolConfig);
    return failureOf(() => pool.query('select 1')).finally(() => pool.end());
  },
};

function withPool(
  config: object,
  use: (pool: ReturnType<typeof callbacks.createPool>, done: (error: unknown) => void) => void,
): Promise<unknown> {
  const pool = callbacks.createPool(config as callbacks.PoolOptions);
  return new Promise((resolve) => {
    use(pool, (error) => pool.end((ended) => resolve(error ?? ended ?? undefined)));
  });
}

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return work().then(
    () => undefined,
    (error: unknown) => error,
  );
}

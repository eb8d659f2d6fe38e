import { fileURLToPath } from 'node:url';
import { next, runProgram, Seen } from '@rds-iam/conformance';
import * as plain from 'mysql2';
import * as plainPromises from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as ours from '../src/index.js';
import * as promises from '../src/promise.js';
import { closedPort } from './closed-port.js';
import { type Stack, startStack } from './stack.js';

// As in edges.test.ts, for pools, for the promise API, and for how a process ends.

let stack: Stack;
let plainConfig: plain.PoolOptions;
let ourConfig: ours.PoolOptions;
let unreachable: { readonly port: number };
beforeAll(async () => {
  stack = await startStack();
  const { hostname, port } = stack.upstream;
  plainConfig = { host: hostname, port, user: stack.username, database: stack.database };
  ourConfig = { ...stack.config, iam: { ...stack.iam, retry: false } };
  unreachable = { port: await closedPort() };
});
afterAll(() => stack[Symbol.asyncDispose]());

type Scene<Subject> = (subject: Subject, seen: Seen) => Promise<unknown>;
type Scenes<Subject> = Readonly<Record<string, Scene<Subject>>>;

const kill = async (threadId: number) => {
  const killer = await plainPromises.createConnection(plainConfig);
  await killer.query(`kill ${threadId}`);
  await killer.end();
};

/** Records a callback. */
const called = (seen: Seen, name: string, work: (callback: (error?: unknown, given?: never) => void) => unknown) =>
  new Promise<void>((resolve) => {
    work((error) => {
      seen.callback(name)(error);
      resolve();
    });
  });

const query = (pool: Pick<plain.Pool, 'query'>, seen: Seen, name = 'query', sql = 'select 1') =>
  called(seen, name, (callback) => pool.query(sql, (error) => callback(error)));

const end = (pool: plain.Pool, seen: Seen) => called(seen, 'end', (callback) => pool.end(callback));

const checkout = (pool: plain.Pool) =>
  new Promise<plain.PoolConnection>((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
  });

const POOL: Scenes<plain.Pool> = {
  'a query, and end': async (pool, seen) => {
    await query(pool, seen);
    await end(pool, seen);
  },
  'end without a connection, twice, and a query after it': async (pool, seen) => {
    await end(pool, seen);
    await end(pool, seen);
    await query(pool, seen);
  },
  'end while a checkout waits': async (pool, seen) => {
    const connection = await checkout(pool);
    const waiting = called(seen, 'waiting', (callback) => pool.getConnection(callback as never));
    await Promise.all([end(pool, seen), waiting]);
    connection.release();
  },
  'a connection that is released twice': async (pool, seen) => {
    const connection = await checkout(pool);
    connection.release();
    connection.release();
    await Promise.all([query(pool, seen, 'first'), query(pool, seen, 'second')]);
    await end(pool, seen);
  },
  'a connection that is destroyed, and a checkout waiting for it': async (pool, seen) => {
    const connection = await checkout(pool);
    const waiting = query(pool, seen, 'waiting');
    connection.destroy();
    await waiting;
    await end(pool, seen);
  },
  'a connection that is disposed of': async (pool, seen) => {
    (await checkout(pool))[Symbol.dispose]();
    await query(pool, seen);
    await end(pool, seen);
  },
  'an idle session that the server ends': async (pool, seen) => {
    const connection = await checkout(pool);
    connection.release();
    const failed = next(connection, 'error');
    await kill(connection.threadId);
    await failed;
    await query(pool, seen);
    await end(pool, seen);
  },
  'a session with a query that the server ends, while a checkout waits': async (pool, seen) => {
    const connection = await checkout(pool);
    const answered = query(connection, seen, 'query', 'select sleep(20)');
    const waiting = query(pool, seen, 'waiting');
    await kill(connection.threadId);
    await answered;
    await waiting;
    await end(pool, seen);
  },
  'a server that has become read-only': async (pool, seen) => {
    const readOnly = `begin not atomic signal sqlstate 'HY000' set mysql_errno = 1290, message_text = 'read-only'; end`;
    const { threadId } = await checkout(pool).then((connection) => {
      connection.release();
      return connection;
    });
    await query(pool, seen, 'query', readOnly);
    const connection = await checkout(pool);
    seen.add(`another connection: ${connection.threadId !== threadId}`);
    connection.release();
    await end(pool, seen);
  },
};

const FAILING_POOL: Scenes<plain.Pool> = {
  'checkout, query and execute': async (pool, seen) => {
    await called(seen, 'getConnection', (callback) => pool.getConnection(callback as never));
    await query(pool, seen);
    await called(seen, 'execute', (callback) => pool.execute('select 1', (error: unknown) => callback(error)));
    await end(pool, seen);
  },
  'a query without a callback': async (pool, seen) => {
    await next(pool.query('select 1'), 'error');
    seen.add('the query emits an error');
    await end(pool, seen);
  },
  'every call that waits for the login': async (pool, seen) => {
    await Promise.all([query(pool, seen, 'first'), query(pool, seen, 'second'), query(pool, seen, 'third')]);
    await end(pool, seen);
  },
};

const PROMISES: Scenes<plainPromises.Connection> = {
  'a query, and end': async (connection, seen) => {
    await seen.outcome('query', connection.query('select 1'));
    await seen.outcome('end', connection.end());
    await next(connection, 'end');
  },
  'a query after end': async (connection, seen) => {
    const over = next(connection, 'end');
    await seen.outcome('end', connection.end());
    await seen.outcome('query', connection.query('select 1'));
    await over;
  },
  'connect, once more': async (connection, seen) => {
    await seen.outcome('connect', connection.connect());
    await seen.outcome('end', connection.end());
    await next(connection, 'end');
  },
  'a session with a query that the server ends': async (connection, seen) => {
    const answered = seen.outcome('query', connection.query('select sleep(20)'));
    await kill(connection.threadId);
    await answered;
    await seen.outcome('second query', connection.query('select 1'));
  },
  'disposal, twice': async (connection, seen) => {
    const over = next(connection, 'end');
    await seen.outcome('dispose', connection[Symbol.asyncDispose]());
    await seen.outcome('dispose', connection[Symbol.asyncDispose]());
    await seen.outcome('query', connection.query('select 1'));
    await over;
  },
};

const POOL_EVENTS = ['connection', 'acquire', 'enqueue', 'release', 'error'];

async function watchPool(pool: plain.Pool, scene: Scene<plain.Pool>): Promise<readonly string[]> {
  const seen = new Seen();
  await scene(seen.of(pool, POOL_EVENTS), seen);
  return seen.list;
}

describe.each(Object.entries(POOL))('a pool: %s', (_, scene) => {
  test('behaves as with mysql2 alone', async () => {
    const expected = await watchPool(plain.createPool({ ...plainConfig, connectionLimit: 1 }), scene);
    expect(expected.length).toBeGreaterThan(0);
    expect(await watchPool(ours.createPool({ ...ourConfig, connectionLimit: 1 }), scene)).toEqual(expected);
  });
});

describe.each(Object.entries(FAILING_POOL))('a pool that cannot log in: %s', (_, scene) => {
  test.each([
    ['at a closed port', () => unreachable],
    ['to a database that does not exist', () => ({ database: 'nowhere' })],
  ])('%s, behaves as with mysql2 alone', async (_, failing) => {
    const options = { connectionLimit: 1, ...failing() };
    const expected = await watchPool(plain.createPool({ ...plainConfig, ...options }), scene);
    expect(expected.length).toBeGreaterThan(0);
    expect(await watchPool(ours.createPool({ ...ourConfig, ...options }), scene)).toEqual(expected);
  });
});

describe('the promise API', () => {
  test.each(Object.entries(PROMISES))('%s, behaves as with mysql2 alone', async (_, scene) => {
    const watch = async (connection: plainPromises.Connection) => {
      const seen = new Seen();
      await scene(seen.of(connection, ['connect', 'error', 'end']), seen);
      return seen.list;
    };
    const expected = await watch(await plainPromises.createConnection(plainConfig));
    expect(expected.length).toBeGreaterThan(0);
    expect(await watch(await promises.createConnection(ourConfig))).toEqual(expected);
  });

  test('of a pool settles as with mysql2 alone, when it ends and when it cannot log in', async () => {
    const watch = async (create: (failing: object) => plainPromises.Pool) => {
      const seen = new Seen();
      const good = create({});
      await seen.outcome('query', good.query('select 1'));
      (await good.getConnection()).release();
      await seen.outcome('end', good.end());
      await seen.outcome('end', good.end());
      await seen.outcome('query', good.query('select 1'));
      const failing = create({ database: 'nowhere' });
      await seen.outcome('getConnection', failing.getConnection());
      await seen.outcome('execute', failing.execute('select 1'));
      await seen.outcome('end', failing.end());
      return seen.list;
    };
    const expected = await watch((failing) => plainPromises.createPool({ ...plainConfig, ...failing }));
    expect(await watch((failing) => promises.createPool({ ...ourConfig, ...failing }))).toEqual(expected);
  });

  test("fails with the caller's stack", async () => {
    for (const { createConnection, createPool, config } of [
      { ...plainPromises, config: plainConfig },
      { ...promises, config: ourConfig },
    ]) {
      const failing = { ...config, ...unreachable };
      const pool = createPool(failing as never);
      const works = [
        () => createConnection(failing as never),
        () => pool.query('select 1'),
        () => pool.execute('select 1'),
      ];
      for (const work of works) {
        const error = await work().catch((reason: unknown) => reason);
        expect((error as Error).stack).toContain('pool-edges.test.ts');
      }
      await pool.end();
    }
  });

  test('of a cluster settles as with mysql2 alone', async () => {
    const watch = async (cluster: Pick<plainPromises.PoolCluster, 'of' | 'end'>) => {
      const seen = new Seen();
      await seen.outcome('query', cluster.of('good').query('select 1'));
      await seen.outcome('failing', cluster.of('failing').query('select 1'));
      await seen.outcome('unknown', cluster.of('unknown').query('select 1'));
      await seen.outcome('end', cluster.end());
      return seen.list;
    };
    const plainCluster = plainPromises.createPoolCluster({ canRetry: false });
    const ourCluster = promises.createPoolCluster({ canRetry: false });
    plainCluster.add('good', plainConfig);
    plainCluster.add('failing', { ...plainConfig, ...unreachable });
    ourCluster.add('good', ourConfig);
    ourCluster.add('failing', { ...ourConfig, ...unreachable });
    const expected = await watch(plainCluster);
    expect(await watch(ourCluster)).toEqual(expected);
  });
});

describe('a process', () => {
  const source = JSON.stringify(new URL('../src/index.ts', import.meta.url).href);
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  /** How the process ends, with our driver and with mysql2 itself. */
  const both = async (program: string) => {
    const run = (module: string, good: object) =>
      runProgram(
        `import mysql from ${module};
         const seen = [];
         for (const event of ['uncaughtException', 'unhandledRejection'])
           process.on(event, (error) => seen.push(event + ' ' + (error.code === undefined ? error.message : 'of the login')));
         process.on('exit', () => console.log(seen.sort()));
         const { good } = config;
         ${program}`,
        { good, failing: { ...good, ...unreachable } },
        { cwd },
      );
    const [expected, seen] = await Promise.all([run("'mysql2'", plainConfig), run(source, ourConfig)]);
    return { expected, seen };
  };

  test.each([
    [
      'is not kept alive by connections that were unreferenced, before and after their login',
      `mysql.createConnection(good).stream.unref();
       const connection = mysql.createConnection(good);
       await new Promise((resolve) => connection.once('connect', resolve));
       connection.stream.unref();
       seen.push('connected');`,
    ],
    [
      'gets errors that nobody else listens for, and exceptions in callbacks, and ends',
      `const { failing } = config;
       const throws = (what) => () => { throw new Error(what); };
       mysql.createConnection(failing);
       mysql.createConnection(failing).connect(throws('in connect'));
       mysql.createConnection(failing).query('select 1', throws('in query'));
       mysql.createPool(failing).query('select 1');
       mysql.createPool(failing).getConnection(throws('in getConnection'));
       const connection = mysql.createConnection(good);
       connection.connect();
       connection.end();
       const pool = mysql.createPool(good);
       pool.query('select 1', () => pool.end());`,
    ],
  ])('%s', async (_, program) => {
    const { expected, seen } = await both(program);
    expect(expected).toMatchObject({ code: 0, signal: null });
    expect(seen).toEqual(expected);
  });
});

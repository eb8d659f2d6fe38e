import { next, Seen, turn } from '@rds-iam/conformance';
import type * as mysql2 from 'mysql2';
import * as plain from 'mysql2';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as ours from '../src/index.js';
import { closedPort } from './closed-port.js';
import { type Stack, startStack } from './stack.js';

// Whenever plain mysql2 calls a callback or emits an event, so does ours, in the same order: each scene is played with both, and
// what is seen is compared.

let stack: Stack;
let plainConfig: mysql2.PoolOptions;
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

/** @param closed - resolves once its stream has emitted 'close' */
type Scene = (connection: mysql2.Connection, seen: Seen, closed: Promise<unknown>) => Promise<unknown>;

const connected = (connection: mysql2.Connection) => next(connection, 'connect');
const failed = (connection: mysql2.Connection) => next(connection, 'error');

/** Runs a query and records its callback. */
const query = (connection: Pick<mysql2.Connection, 'query'>, seen: Seen, name: string, sql = 'select 1') =>
  new Promise<void>((resolve) => {
    connection.query(sql, (error) => {
      seen.callback(name)(error);
      resolve();
    });
  });

const GOOD: Readonly<Record<string, Scene>> = {
  'connect and end with callbacks': async (connection, seen) => {
    await new Promise<void>((resolve) => {
      connection.connect((error) => {
        seen.callback('connect')(error);
        resolve();
      });
    });
    connection.end(seen.callback('end'));
    await next(connection, 'end');
  },
  'connect again once connected': async (connection, seen) => {
    await connected(connection);
    connection.connect(((error: unknown, same: unknown) => seen.add(`${error} ${same === connection}`)) as never);
    connection.end();
    await next(connection, 'end');
  },
  'queries before the login, and an end after them': async (connection, seen) => {
    const queries = [1, 2].map((n) => query(connection, seen, `query ${n}`));
    connection.end(seen.callback('end'));
    await Promise.all(queries);
    await next(connection, 'end');
  },
  'end twice, and a query after it': async (connection, seen) => {
    await connected(connection);
    connection.end(seen.callback('end'));
    connection.end(seen.callback('second end'));
    await query(connection, seen, 'query');
    await next(connection, 'end');
    await query(connection, seen, 'second query');
  },
  'a query without a callback after end': async (connection, seen) => {
    await connected(connection);
    connection.end();
    connection.query('select 1');
    await next(connection, 'end');
    seen.add(connection.state);
  },
  'destroy before the login': async (connection, seen, closed) => {
    connection.connect(seen.callback('connect'));
    connection.destroy();
    await closed;
    seen.add(connection.state);
  },
  'destroy before the login, with queries waiting': async (connection, seen, closed) => {
    const queries = [1, 2].map((n) => query(connection, seen, `query ${n}`));
    connection.destroy();
    await Promise.all(queries);
    await closed;
  },
  'destroy once connected, and then a query': async (connection, seen, closed) => {
    await connected(connection);
    connection.destroy();
    await query(connection, seen, 'query');
    await closed;
    seen.add(connection.state);
  },
  'destroy during a query': async (connection, seen, closed) => {
    await connected(connection);
    void query(connection, seen, 'query', 'select sleep(0.05)');
    await turn();
    connection.destroy();
    await closed;
    await turn();
  },
  disposal: async (connection, seen) => {
    await connected(connection);
    connection[Symbol.dispose]();
    await next(connection, 'end');
    seen.add(connection.state);
  },
  'the states of a connection': async (connection, seen) => {
    seen.add(connection.state);
    await connected(connection);
    seen.add(connection.state);
    await query(connection, seen, 'query');
    connection.end();
    seen.add(connection.state);
    await next(connection, 'end');
  },
  'ping, reset and a change of user': async (connection, seen) => {
    await new Promise<void>((resolve) => {
      connection.ping(seen.callback('ping'));
      connection.reset(seen.callback('reset'));
      connection.changeUser({ user: stack.username }, (error) => {
        seen.callback('changeUser')(error);
        resolve();
      });
    });
    await query(connection, seen, 'query');
    connection.end();
    await next(connection, 'end');
  },
  'a pause during which a query is answered': async (connection, seen) => {
    await connected(connection);
    const answered = query(connection, seen, 'query');
    connection.pause();
    await turn();
    seen.add('resumed');
    connection.resume();
    await answered;
    connection.end();
    await next(connection, 'end');
  },
  'the server ends an idle session': async (connection, seen) => {
    await connected(connection);
    const over = failed(connection);
    await kill(connection);
    seen.add(codeOf(await over));
    await query(connection, seen, 'query');
    connection.connect(seen.callback('connect'));
    seen.add(connection.state);
  },
  'the server ends a session with a query': async (connection, seen, closed) => {
    await connected(connection);
    const answered = query(connection, seen, 'query', 'select sleep(20)');
    await kill(connection);
    await answered;
    await closed;
    await query(connection, seen, 'second query');
  },
  'the stream is destroyed while idle': async (connection, seen) => {
    await connected(connection);
    const over = failed(connection);
    streamOf(connection).destroy();
    seen.add(codeOf(await over));
    await query(connection, seen, 'query');
  },
  'the stream fails while idle': async (connection, seen) => {
    await connected(connection);
    const over = failed(connection);
    streamOf(connection).destroy(new Error('of the network'));
    seen.add(String(await over));
    await query(connection, seen, 'query');
    connection.end(seen.callback('end'));
  },
  'the stream is destroyed while it connects': async (connection, seen) => {
    connection.connect(seen.callback('connect'));
    const over = failed(connection);
    streamOf(connection).destroy();
    seen.add(codeOf(await over));
  },
  'the stream fails with a reset as the connection is closed': async (connection, seen, closed) => {
    await connected(connection);
    connection.destroy();
    streamOf(connection).destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    await closed;
    seen.add(connection.state);
  },
  'a time-out that was set before the login': async (connection, _seen, closed) => {
    const timedOut = new Promise<void>((resolve) => streamOf(connection).setTimeout(30, resolve));
    await connected(connection);
    await timedOut;
    connection.destroy();
    await closed;
  },
};

const FAILING: Readonly<Record<string, Scene>> = {
  'connect with a callback': async (connection, seen, closed) => {
    const over = failed(connection);
    connection.connect(seen.callback('connect'));
    seen.add(String(((await over) as mysql2.QueryError).fatal));
    await closed;
    seen.add(connection.state);
  },
  'queries made before it': async (connection, seen, closed) => {
    await Promise.all([1, 2].map((n) => query(connection, seen, `query ${n}`)));
    await closed;
  },
  'a query without a callback': async (connection) => {
    const over = failed(connection);
    connection.query('select 1');
    await over;
  },
  'a query and an end after it failed': async (connection, seen) => {
    await failed(connection);
    await query(connection, seen, 'query');
    connection.end(seen.callback('end'));
    connection.ping(seen.callback('ping'));
  },
  'an end requested before it': async (connection, seen, closed) => {
    const over = failed(connection);
    connection.end(seen.callback('end'));
    await Promise.race([over, closed]);
  },
  'destroy after it failed': async (connection, seen, closed) => {
    await failed(connection);
    connection.destroy();
    await closed;
    await query(connection, seen, 'query');
  },
};

describe.each(Object.entries(GOOD))('with a good server: %s', (_, scene) => {
  test('behaves as with mysql2 alone', async () => {
    const expected = await watch(plain.createConnection(plainConfig), scene);
    expect(expected.length).toBeGreaterThan(0);
    expect(await watch(ours.createConnection(ourConfig), scene)).toEqual(expected);
  });
});

describe.each(Object.entries(FAILING))('with a failing login: %s', (_, scene) => {
  // Our connections treat a refused login like a closed port.
  test.each([
    ['at a closed port', () => unreachable],
    ['on a database that does not exist', () => ({ database: 'nowhere' })],
  ])('%s, behaves as with mysql2 alone at a closed port', async (_, failing) => {
    const expected = await watch(plain.createConnection({ ...plainConfig, ...unreachable }), scene);
    expect(expected.length).toBeGreaterThan(0);
    expect(await watch(ours.createConnection({ ...ourConfig, ...failing() }), scene)).toEqual(expected);
  });
});

test('mysql2 warns about an unknown option as often as it does alone', async () => {
  const warn = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => warn.mockRestore());
  const warnings = async (make: (unknown: object) => mysql2.Connection) => {
    const before = warn.mock.calls.length;
    await connected(
      make({ nonsense: 1 }).on('connect', function (this: mysql2.Connection) {
        this.destroy();
      }),
    );
    return warn.mock.calls.slice(before);
  };
  const expected = await warnings((unknown) => plain.createConnection({ ...plainConfig, ...unknown }));
  expect(expected).toHaveLength(1);
  expect(await warnings((unknown) => ours.createConnection({ ...ourConfig, ...unknown }))).toEqual(expected);
});

async function watch(connection: mysql2.Connection, scene: Scene): Promise<readonly string[]> {
  const seen = new Seen();
  const closed = next(streamOf(connection), 'close');
  await scene(seen.of(connection, ['connect', 'error', 'end']), seen, closed);
  connection.destroy();
  return seen.list;
}

async function kill(connection: mysql2.Connection): Promise<void> {
  const killer = plain.createConnection(plainConfig);
  // On a busy server, a session exists before it is in the list of those that can be killed.
  await vi.waitFor(() => killer.promise().query(`kill ${connection.threadId}`));
  killer.end();
}

function streamOf(connection: mysql2.Connection): import('node:net').Socket {
  return (connection as unknown as { readonly stream: import('node:net').Socket }).stream;
}

const codeOf = (error: unknown) => String((error as mysql2.QueryError).code);

import { fileURLToPath } from 'node:url';
import { next, runProgram, Seen, turn } from '@rds-iam/conformance';
import * as mariadb from 'mariadb';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as ours from '../../src/mariadb.js';
import { closedPort } from '../closed-port.js';
import { type Stack, startStack } from '../stack.js';

// Whenever the plain connector settles a promise or emits an event, so does ours, in the same order: each scene is played with
// both, and what is seen is compared. Pools are in pool.test.ts and failures.test.ts.

let stack: Stack;
let plainConfig: mariadb.ConnectionConfig;
let ourConfig: ours.ConnectionConfig;
let unreachable: { readonly port: number };
beforeAll(async () => {
  stack = await startStack();
  const { hostname, port } = stack.upstream;
  // The connector's own second is not enough on a busy machine.
  plainConfig = { host: hostname, port, user: stack.username, database: stack.database, connectTimeout: 20_000 };
  ourConfig = { ...stack.config, iam: { ...stack.iam, retry: false } };
  unreachable = { port: await closedPort() };
});
afterAll(() => stack[Symbol.asyncDispose]());

type Scene = (connection: mariadb.Connection, seen: Seen) => Promise<unknown>;

const EVENTS = ['error', 'end'];

const kill = async (connection: mariadb.Connection) => {
  const killer = await mariadb.createConnection(plainConfig);
  // On a busy server, a session exists before it is in the list of those that can be killed.
  await vi.waitFor(() => killer.query(`kill ${connection.threadId}`));
  await killer.end();
};

const SCENES: Readonly<Record<string, Scene>> = {
  'a query, and end': async (connection, seen) => {
    await seen.outcome('query', connection.query('select 1'));
    await seen.outcome('end', connection.end());
    await turn();
    seen.add(`valid: ${connection.isValid()}`);
  },
  'end twice, and a query after it': async (connection, seen) => {
    await Promise.all([seen.outcome('end', connection.end()), seen.outcome('second end', connection.end())]);
    await seen.outcome('query', connection.query('select 1'));
    await seen.outcome('third end', connection.end());
  },
  'queries in one turn, of which one is wrong': async (connection, seen) => {
    await Promise.all([
      seen.outcome('first', connection.query('select 1')),
      seen.outcome('wrong', connection.query('wrong')),
      seen.outcome('third', connection.execute('select 3')),
    ]);
    await seen.outcome('end', connection.end());
  },
  'close, and then the methods of a connection': async (connection, seen) => {
    connection.close();
    await seen.outcome('ping', connection.ping());
    await seen.outcome('reset', connection.reset());
    await seen.outcome('prepare', connection.prepare('select 1'));
    await seen.outcome('beginTransaction', connection.beginTransaction());
  },
  'ping and reset': async (connection, seen) => {
    await seen.outcome('ping', connection.ping());
    await seen.outcome('reset', connection.reset());
    await seen.outcome('end', connection.end());
  },
  'a pause during which a query is answered': async (connection, seen) => {
    const answered = seen.outcome('query', connection.query('select 1'));
    connection.pause();
    await turn();
    seen.add('resumed');
    connection.resume();
    await answered;
    await seen.outcome('end', connection.end());
  },
  'destroy while idle': async (connection, seen) => {
    connection.destroy();
    await seen.outcome('query', connection.query('select 1'));
    await seen.outcome('end', connection.end());
    seen.add(`valid: ${connection.isValid()}`);
  },
  'destroy during a query': async (connection, seen) => {
    const query = seen.outcome('query', connection.query('select sleep(20)'));
    const behind = seen.outcome('behind', connection.query('select 1'));
    await turn();
    connection.destroy();
    await Promise.all([query, behind]);
    await seen.outcome('second query', connection.query('select 1'));
  },
  'the server ends an idle session': async (connection, seen) => {
    const over = next(connection as unknown as NodeJS.EventEmitter, 'end');
    await kill(connection);
    await over;
    seen.add(`valid: ${connection.isValid()}`);
    await seen.outcome('query', connection.query('select 1'));
    await seen.outcome('end', connection.end());
  },
  'the server ends a session with queries': async (connection, seen) => {
    const query = seen.outcome('query', connection.query('select sleep(20)'));
    const behind = seen.outcome('behind', connection.query('select 1'));
    await kill(connection);
    await Promise.all([query, behind]);
    await seen.outcome('second query', connection.query('select 1'));
  },
  disposal: async (connection, seen) => {
    // Version 3.4 does not have this.
    const dispose = (connection as Partial<AsyncDisposable>)[Symbol.asyncDispose] ?? connection.end;
    await seen.outcome('dispose', dispose.call(connection));
    await seen.outcome('query', connection.query('select 1'));
  },
};

describe.each(Object.entries(SCENES))('a connection: %s', (_, scene) => {
  test('behaves as with the connector alone', async () => {
    const watch = async (connection: mariadb.Connection) => {
      const seen = new Seen();
      await scene(seen.of(connection as mariadb.Connection & NodeJS.EventEmitter, EVENTS), seen);
      connection.destroy();
      return seen.list;
    };
    const expected = await watch(await mariadb.createConnection(plainConfig));
    expect(expected.length).toBeGreaterThan(0);
    expect(await watch(await ours.createConnection(ourConfig))).toEqual(expected);
  });
});

test.each<[string, () => object]>([
  ['at a closed port', () => unreachable],
  ['on a database that does not exist', () => ({ database: 'nowhere' })],
  ['at a name that does not exist', () => ({ host: 'nowhere.invalid' })],
])('a login %s rejects, and leaves nothing behind', async (_, failing) => {
  await expect(mariadb.createConnection({ ...plainConfig, ...failing() })).rejects.toBeInstanceOf(Error);
  await expect(ours.createConnection({ ...ourConfig, ...failing() })).rejects.toMatchObject({ name: 'RdsIamError' });
  await expect.poll(() => stack.emulator.stats.open).toBe(0);
});

test('changeUser says that it is not possible', async () => {
  const connection = await ours.createConnection(stack.config);
  await expect(connection.changeUser({ user: 'other' })).rejects.toThrow(/"changeUser".*createConnection/);
  await connection.end();
  const pool = ours.createPool({ ...stack.config, connectionLimit: 1 });
  const pooled = await pool.getConnection();
  await expect(pooled.changeUser({ user: 'other' })).rejects.toThrow(/"changeUser"/);
  await pooled.release();
  await pool.end();
});

test('the logger hears of one handshake for each login, as from the plain connector', async () => {
  const greetingsOf = async (createConnection: typeof mariadb.createConnection, config: mariadb.ConnectionConfig) => {
    const network = vi.fn<(line: string) => void>();
    await (await createConnection({ ...config, logger: { network } })).end();
    // A line shows sixteen bytes, and so a part of `mysql_native_password`.
    return network.mock.calls.filter(([line]) => line.includes('mysql_na')).length;
  };
  const plain = await greetingsOf(mariadb.createConnection, plainConfig);
  expect(plain).toBeGreaterThan(0);
  expect(await greetingsOf(ours.createConnection as typeof mariadb.createConnection, ourConfig as never)).toBe(plain);
});

test('a process gets the errors that nobody else listens for', async () => {
  const source = JSON.stringify(new URL('../../src/mariadb.ts', import.meta.url).href);
  const run = (module: string, good: object) =>
    runProgram(
      `import mariadb from ${module};
       const seen = [];
       for (const event of ['uncaughtException', 'unhandledRejection'])
         process.on(event, (error) => seen.push(event + ' ' + (error.sqlState ?? error.name)));
       process.on('exit', () => console.log(seen.sort()));
       const { plain, good } = config;
       const victim = await mariadb.createConnection(good);
       const killer = await mariadb.createConnection(plain);
       const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
       await killer.query('kill ' + victim.threadId);
       await thrown;
       await killer.end();
       const pool = mariadb.createPool({ ...good, connectionLimit: 1 });
       pool.query('select 1').then(() => pool.end());`,
      { good, plain: { ...plainConfig, ...(module !== "'mariadb'" && { iam: { enabled: false } }) } },
      { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
    );
  const [expected, seen] = await Promise.all([run("'mariadb'", plainConfig), run(source, ourConfig)]);
  expect(expected).toMatchObject({ code: 0, signal: null, output: expect.stringContaining('uncaughtException') });
  expect(seen).toEqual(expected);
});

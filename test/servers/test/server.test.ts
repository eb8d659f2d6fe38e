import { once } from 'node:events';
import { connect } from 'node:net';
import mysql from 'mysql2/promise';
import { expect, test } from 'vitest';
import { findOrInstall } from '../src/binaries.js';
import { startMariadb, startRedis } from '../src/index.js';
import { type ProvideOptions, provideServer, type Roads } from '../src/server.js';

/** The output and actions of a run with fake ways to start servers. */
function scene(environment: NodeJS.ProcessEnv, roads: Partial<Roads> = {}) {
  const lines: string[] = [];
  const steps: string[] = [];
  const started = (what: string) => {
    steps.push(`start ${what}`);
    return { hostname: '127.0.0.1', port: 1, close: async () => void steps.push(`close ${what}`) };
  };
  const options: ProvideOptions = {
    environment,
    print: (line) => void lines.push(line),
    roads: {
      mayHaveEngine: () => true,
      startContainer: async ({ image }) => started(image),
      startProgram: async (engine) => started(engine),
      ...roads,
    },
  };
  return { lines, steps, options };
}

test.each([
  ['postgres', 'postgres:18', 'postgres'],
  ['mysql', 'mysql:8.4', 'root'],
  ['redis', 'redis:8', ''],
] as const)('%s is a container if Docker may answer', async (engine, image, username) => {
  const { lines, steps, options } = scene({});
  const server = await provideServer(engine, options);
  expect(server).toMatchObject({ road: 'docker', username, password: '' });
  await server.close();
  expect(steps).toEqual([`start ${image}`, `close ${image}`]);
  expect(lines).toEqual([expect.stringContaining(`a container of ${image}`)]);
});

test('the environment may name another image', async () => {
  const { steps, options } = scene({ TEST_MYSQL_IMAGE: 'mariadb:11' });
  await provideServer('mysql', options);
  expect(steps).toEqual(['start mariadb:11']);
});

test('a program on this machine comes next, and the reason is printed', async () => {
  const { lines, steps, options } = scene({}, { startContainer: () => Promise.reject(new Error('no such image')) });
  expect((await provideServer('mysql', options)).road).toBe('program');
  expect(steps).toEqual(['start mysql']);
  expect(lines).toEqual([
    'test servers: MySQL not from Docker: no such image',
    'test servers: MySQL at 127.0.0.1:1, a program on this machine',
  ]);
});

test('Docker is not tried if there is no trace of an engine', async () => {
  const { lines, steps, options } = scene({}, { mayHaveEngine: () => false });
  await provideServer('postgres', options);
  expect(steps).toEqual(['start postgres']);
  expect(lines).toHaveLength(1);
});

test('a machine without any is told in one sentence what to do', async () => {
  const wanted = {
    name: 'a MariaDB or MySQL server',
    programs: ['no-such-mariadbd'],
    packages: ['mariadb-server-core'],
    variable: 'TEST_MYSQL_URL',
  };
  await expect(findOrInstall(wanted, false)).rejects.toThrow(
    'These tests need a MariaDB or MySQL server: install no-such-mariadbd (Debian and Ubuntu: sudo apt-get install ' +
      'mariadb-server-core), or start Docker, or name a running server in TEST_MYSQL_URL.',
  );
});

test('a server named by a URL comes first, and is left as it was', async () => {
  await using own = await startMariadb();
  const root = await own.connectAsSuperuser();
  await root.query("create user 'te:st'@'%' identified by 'p@ss'");
  const state = async () => {
    const [variables] = await root.query('show global variables');
    const [accounts] = await root.query('select user, host from mysql.user order by 1, 2');
    const [databases] = await root.query('show databases');
    return { variables: withoutChanging(variables), accounts, databases };
  };
  const before = await state();
  const { lines, steps, options } = scene({ TEST_MYSQL_URL: `mysql://te%3Ast:p%40ss@127.0.0.1:${own.port}/` });

  const server = await provideServer('mysql', options);
  expect(server).toMatchObject({
    road: 'url',
    hostname: '127.0.0.1',
    port: own.port,
    username: 'te:st',
    password: 'p@ss',
  });
  const client = await mysql.createConnection({
    host: server.hostname,
    port: server.port,
    user: server.username,
    password: server.password,
  });
  await client.end();
  await server.close();

  expect(await state()).toEqual(before);
  await root.end();
  expect(steps).toEqual([]);
  expect(lines).toEqual([`test servers: MySQL at 127.0.0.1:${own.port}, from TEST_MYSQL_URL`]);
});

test('a Redis named by a URL goes on, too', async () => {
  await using own = await startRedis();
  const server = await provideServer('redis', scene({ TEST_REDIS_URL: own.url }).options);
  await server.close();
  const socket = connect(own.port, own.hostname);
  await once(socket, 'connect');
  socket.destroy();
});

test('a URL at which nothing answers is an error, not a reason to start something else', async () => {
  const { steps, options } = scene({ TEST_POSTGRES_URL: 'postgres://app:s3cret@127.0.0.1:9/' });
  const failure = await provideServer('postgres', options).catch((error: Error) => error.message);
  expect(failure).toBe(
    'TEST_POSTGRES_URL names a server at 127.0.0.1:9, which does not answer: connect ECONNREFUSED 127.0.0.1:9',
  );
  await expect(provideServer('mysql', scene({ TEST_MYSQL_URL: 'localhost' }).options)).rejects.toThrow(
    'TEST_MYSQL_URL is not a URL',
  );
  expect(steps).toEqual([]);
});

/** The status without the variables that change by themselves. */
function withoutChanging(variables: unknown): unknown {
  const rows = variables as { readonly Variable_name: string }[];
  return rows.filter(({ Variable_name: name }) => !/^(gtid|timestamp|last_|rand_)/.test(name));
}

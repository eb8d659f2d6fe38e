// exec --proxy with other people's programs: one way for all of them, on both engines.
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '@rds-iam/conformance';
import { describe, expect, test } from 'vitest';
import { has, type Running, rdsIam, start, tool } from './command-line.js';
import { execStack } from './exec-stack.js';
import { startTunnel } from './tunnel.js';

const projectOf = (name: string) => fileURLToPath(new URL(`projects/${name}`, import.meta.url));
const program = (name: string) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs a program that only ends by a signal. */
async function served<T>(running: Running, serves: RegExp, use: () => Promise<T>): Promise<T> {
  try {
    await running.said(serves);
    return await use();
  } finally {
    running.child.kill('SIGTERM');
    await running.outcome;
  }
}

async function post(url: string, body: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json', origin: new URL(url).origin };
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json();
}

describe.each<Engine>(['postgres', 'mysql'])('exec --proxy on %s', (engine) => {
  const { stack, ca, scratch, variables, url, query } = execStack(engine);
  const execArgs = (command: readonly string[], flags: readonly string[] = []) => [
    ...['exec', '--proxy', ...flags, '--ca', ca, url(), '--', ...command],
  ];
  const exec = (command: readonly string[], project = 'node', more: Readonly<Record<string, string>> = {}) =>
    rdsIam(execArgs(command), { ...variables, ...more }, projectOf(project));
  const client = {
    postgres: ['psql', '-XAtc', 'select current_user'],
    mysql: ['mariadb', '-NBe', `select substring_index(current_user(), '@', 1)`],
  }[engine];

  test('the environment has a local port, and no token', async () => {
    const { exitCode, stdout } = await exec([process.execPath, '-e', 'console.log(JSON.stringify(process.env))']);
    expect(exitCode).toBe(0);
    const environment = JSON.parse(stdout);
    const { username, database } = stack();
    const { port, password, ...at } = {
      postgres: {
        ...{ port: environment.PGPORT, password: environment.PGPASSWORD, tls: environment.PGSSLMODE },
        ...{ host: environment.PGHOST, user: environment.PGUSER },
      },
      mysql: {
        ...{ port: environment.MYSQL_TCP_PORT, password: environment.MYSQL_PWD, tls: 'disable' },
        ...{ host: environment.MYSQL_HOST, user: username },
      },
    }[engine];
    expect(at).toEqual({ host: '127.0.0.1', user: username, tls: 'disable' });
    const scheme = { postgres: 'postgresql', mysql: 'mysql' }[engine];
    expect(environment.DATABASE_URL).toBe(`${scheme}://${username}:${password}@127.0.0.1:${port}/${database}`);
    expect(stdout).not.toMatch(/X-Amz|Action=connect/);
  });

  test.skipIf(!has(client[0] ?? ''))(`${client[0]}, with its variables, and through a tunnel`, async () => {
    await using tunnel = await startTunnel(stack().emulator.port);
    const dial = ['--dial', `localhost:${tunnel.port}`];
    const { username } = stack();
    for (const flags of [[], dial]) {
      const outcome = await rdsIam(execArgs(client, flags), variables);
      expect(outcome).toEqual({ exitCode: 0, stdout: `${username}\n`, stderr: '' });
      expect(tunnel.taken > 0).toBe(flags === dial);
    }
  });

  test('a command can log in any number of times, and its exit code is passed on', async () => {
    const login = {
      postgres: `new (require('pg').Client)({ connectionString: process.env.DATABASE_URL })`,
      mysql: `require('mysql2').createConnection(process.env.DATABASE_URL).promise()`,
    }[engine];
    const script = `(async () => {
      for (let time = 0; time < 3; time++) {
        const client = ${login};
        await client.connect();
        await client.end();
      }
      process.exit(7);
    })();`;
    const { accepted } = stack().emulator.stats;
    const { exitCode, stderr } = await exec([process.execPath, '-e', script]);
    expect(stderr).toBe('');
    expect(exitCode).toBe(7);
    // On MySQL, there is one more for the server's greeting.
    expect(stack().emulator.stats.accepted).toBe(accepted + (engine === 'mysql' ? 4 : 3));
  });

  test.each([
    ['knex', ['knex', 'migrate:latest', '--knexfile', `${engine}.cjs`]],
    ['typeorm', ['typeorm', 'migration:run', '-d', `${engine}.cjs`]],
    ['sequelize', ['sequelize-cli', 'db:migrate', '--env', engine]],
  ])('%s migrates, with its own settings', async (project, [name = '', ...args]) => {
    const made = await exec([program(name), ...args], project);
    expect(made, made.stderr).toMatchObject({ exitCode: 0 });
    expect(await query(`select * from ${project}_fruit`)).toEqual(expect.any(Array));
  });

  /** A query for PostgreSQL or MySQL whose first row is about the table. */
  const page = (table: string) => `select name from ${table} limit 25`;

  test('prisma studio shows a page of data', async () => {
    await query('create table studio_fruit (name varchar(20))');
    await query(`insert into studio_fruit values ('quince')`);
    const port = await freePort();
    const command = [program('prisma'), 'studio', '--browser', 'none', '--port', String(port)];
    const settings = { ...variables, CHECKPOINT_DISABLE: '1' };
    const studio = start(process.execPath, tool(...execArgs(command)), settings, projectOf('prisma'));
    const asked = { procedure: 'query', query: { sql: page('studio_fruit'), parameters: [] } };
    const rows = await served(studio, /running at/, () => post(`http://localhost:${port}/bff`, asked));
    expect(rows).toEqual([null, [{ name: 'quince' }]]);
  }, 120_000);

  test('drizzle-kit generates, migrates, pushes and shows a page of data', async () => {
    const out = join(scratch, 'drizzle');
    mkdirSync(out);
    const settings = { OUT: out, SCHEMA: stack().username };
    const kit = (...args: string[]) => [program('drizzle-kit'), ...args, '--config', `${engine}.config.cjs`];
    // drizzle-kit creates its schema if it does not exist, which requires the right even if it does.
    if (engine === 'postgres') await query(`grant create on database postgres to ${stack().username}`, 'postgres');
    for (const [table, ...command] of [
      ['drizzle_migrated', 'generate'],
      ['drizzle_migrated', 'migrate'],
      ['drizzle_pushed', 'push', '--force'],
    ] as const) {
      const { exitCode, stdout, stderr } = await exec(kit(...command), 'drizzle', { ...settings, TABLE: table });
      expect(exitCode, stdout + stderr).toBe(0);
    }
    if (engine === 'postgres') await query(`revoke create on database postgres from ${stack().username}`, 'postgres');
    await query(`insert into drizzle_pushed values ('quince')`);
    const port = await freePort();
    const studio = start(
      process.execPath,
      tool(...execArgs(kit('studio', '--port', String(port)))),
      { ...variables, ...settings, TABLE: 'drizzle_pushed' },
      projectOf('drizzle'),
    );
    const data = { sql: page('drizzle_pushed'), params: [], typings: [], method: 'all', mode: 'object' };
    const rows = await served(studio, /up and running/, () =>
      post(`http://127.0.0.1:${port}/`, { type: 'proxy', data }),
    );
    expect(rows).toEqual([{ name: 'quince' }]);
  }, 120_000);

  test('the reason for a refused login is printed, even if the command hides it', async () => {
    const silent = `
      const { PGPORT, MYSQL_TCP_PORT } = process.env;
      const socket = require('node:net').connect(PGPORT ?? MYSQL_TCP_PORT, '127.0.0.1');
      socket.write('GET / HTTP/1.1\\r\\n\\r\\n');
      socket.resume();`;
    const { stderr } = await exec([process.execPath, '-e', silent]);
    expect(stderr).toMatch(/rds-iam: warning: .* refusal nobody yet from 127\.0\.0\.1 .*: protocol: /);
  });
});

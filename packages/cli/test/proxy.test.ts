import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { has, KEYS, type Running, runHere, start, tool } from './command-line.js';
import { startTunnel } from './tunnel.js';

let stack: Stack;
let folder: string;
let caFile: string;
let url: string;

beforeAll(async () => {
  stack = await startStack('postgres');
  folder = mkdtempSync(join(tmpdir(), 'rds-iam-proxy-cli-'));
  caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, stack.emulator.ca);
  url = `postgresql://${stack.username}@localhost:${stack.emulator.port}/${stack.database}`;
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const flags = () => ['--region', 'eu-west-1', '--ca', caFile, '--port', '0'];

/** Starts a proxy that runs until the test is over. */
function proxy(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Running {
  const running = start(process.execPath, tool('proxy', ...args), { ...KEYS, ...variables });
  onTestFinished(async () => {
    running.child.kill('SIGKILL');
    await running.outcome;
  });
  return running;
}

async function printedUrl(running: Running): Promise<string> {
  const [found] = await running.said(/^postgresql:\/\/\S+/m);
  return found;
}

async function logIn(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test('prints what to paste, lets a client in with it, and prints a line for each login and refusal', async () => {
  const running = proxy([url, ...flags()]);
  const printed = await printedUrl(running);
  await running.said(/ready/);
  const client = await logIn(printed);
  const { rows } = await client.query('select current_user as name');
  expect(rows).toEqual([{ name: stack.username }]);
  await running.said(new RegExp(`login "${stack.username}" from 127.0.0.1 to localhost:\\d+/postgres, in \\d+ ms`));
  await client.end();
  await running.said(/logout .* bytes in, \d+ out/);
  await expect(logIn(printed.replace(/:[^:@]+@/, ':wrong@'))).rejects.toMatchObject({ code: '28P01' });
  await running.said(/refusal .*: password: password authentication failed/);
  running.child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await running.outcome;
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^psql '?postgresql:/m);
  expect(stdout).toMatch(/^# in a graphical client: host 127.0.0.1, port \d+, user .*; without SSL$/m);
  expect(stderr).not.toContain(decodeURIComponent(new URL(printed).password));
  expect(stdout + stderr).not.toMatch(/X-Amz|Action=connect/);
});

test.skipIf(!has('psql'))('psql, with the printed line, and the reason why it is not let in', async () => {
  const running = proxy([url, ...flags()]);
  const [, command = ''] = await running.said(/^(psql .*)$/m);
  const variables = { PGCONNECT_TIMEOUT: '10' };
  const ran = await start('sh', ['-c', `${command} -Atc 'select current_user'`], variables).outcome;
  expect(ran).toMatchObject({ exitCode: 0, stdout: `${stack.username}\n` });

  stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
  onTestFinished(() => stack.emulator.setFaults({}));
  const other = proxy([url, ...flags()]);
  const [, otherCommand = ''] = await other.said(/^(psql .*)$/m);
  const refused = await start('sh', ['-c', `${otherCommand} -c 'select 1'`], variables).outcome;
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/FATAL: {2}rds-iam proxy: login refused by localhost/);
  expect(refused.stderr).toMatch(/HINT: .*1\. /);
  expect(refused.stderr).toContain(`rds-iam doctor ${url}`);
  await other.said(/refusal .*: ERR_RDS_IAM_REFUSED: /);
});

test('--dial: through a tunnel', async () => {
  await using tunnel = await startTunnel(stack.emulator.port);
  const running = proxy([url, ...flags(), '--dial', `localhost:${tunnel.port}`]);
  const client = await logIn(await printedUrl(running));
  expect((await client.query('select current_user as name')).rows).toEqual([{ name: stack.username }]);
  expect(tunnel.taken).toBe(1);
});

test.skipIf(!has('mariadb'))('mariadb, with the printed line', async () => {
  await using mysql = await startStack('mysql');
  const mysqlCa = join(folder, 'mysql-ca.pem');
  writeFileSync(mysqlCa, mysql.emulator.ca);
  const at = `mysql://${mysql.username}@localhost:${mysql.emulator.port}/${mysql.database}`;
  const running = proxy([at, '--region', 'eu-west-1', '--ca', mysqlCa, '--port', '0']);
  const [, command = ''] = await running.said(/^(MYSQL_PWD=\S+ mariadb .*)$/m);
  const ran = await start('sh', ['-c', `${command} -NBe 'select current_user()'`]).outcome;
  expect(ran).toMatchObject({ exitCode: 0, stdout: `${mysql.username}@%\n` });
});

test('with a certificate of its own, clients that want TLS get it', async () => {
  const authority = await createCertificateAuthority();
  const { cert, key } = await authority.issue({ hostnames: ['127.0.0.1'] });
  const [certFile, keyFile] = [join(folder, 'proxy.pem'), join(folder, 'proxy-key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const running = proxy([url, ...flags(), '--tls-cert', certFile, '--tls-key', keyFile]);
  const printed = await printedUrl(running);
  await running.said(/^# in a graphical client: .*; with SSL, using the certificate in --tls-cert$/m);
  const client = new pg.Client({ connectionString: printed, ssl: { ca: authority.ca } });
  await client.connect();
  expect((await client.query('select current_user as name')).rows).toEqual([{ name: stack.username }]);
  await client.end();
});

test('--json: the connections are one line, and each event is one', async () => {
  const running = proxy([url, ...flags(), '--json', '--http-port', '0']);
  const [line] = await running.said(/^\{"connections".*$/m);
  const { connections, http } = JSON.parse(line);
  expect((await fetch(new URL('/readiness', http))).status).toBe(200);
  expect(connections).toEqual([
    {
      ...{ engine: 'postgres', host: '127.0.0.1', port: expect.any(Number), username: stack.username },
      ...{ database: stack.database, password: expect.any(String), url: expect.stringMatching(/^postgresql:/) },
      endpoint: `localhost:${stack.emulator.port}`,
    },
  ]);
  await logIn(connections[0].url);
  const [event] = await running.said(/^\{"at".*$/m);
  expect(JSON.parse(event)).toMatchObject({ type: 'login', username: stack.username, client: '127.0.0.1' });
});

test('SIGTERM refuses new clients, and the proxy ends once the others have left', async () => {
  const running = proxy([url, ...flags()]);
  const client = await logIn(await printedUrl(running));
  running.child.kill('SIGTERM');
  await running.said(/1 connections continue/);
  await expect(logIn(await printedUrl(running))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  expect((await running.outcome).exitCode).toBe(0);
});

test('SIGTERM drops clients that are still in after the delay', async () => {
  const running = proxy([url, ...flags(), '--max-sigterm-delay', '0.2']);
  const client = await logIn(await printedUrl(running));
  const ended = new Promise((resolve) => client.once('end', resolve));
  running.child.kill('SIGTERM');
  expect((await running.outcome).exitCode).toBe(0);
  await ended;
});

test('a socket that is left behind by kill -9 is taken over by the next proxy', async () => {
  const sockets = join(folder, 'sockets');
  const killed = proxy([url, ...flags(), '--socket', sockets, '--port', '5432']);
  const first = await printedUrl(killed);
  await logIn(first);
  killed.child.kill('SIGKILL');
  await killed.outcome;
  expect(readdirSync(sockets)).toEqual(['.s.PGSQL.5432']);
  // Its connections to the database end with it.
  await expect.poll(() => stack.sessions(), { timeout: 10_000 }).toBe(0);
  const next = proxy([url, ...flags(), '--socket', sockets, '--port', '5432']);
  expect(await printedUrl(next)).toBe(first);
  const client = await logIn(first);
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  next.child.kill('SIGINT');
  await next.outcome;
  expect(readdirSync(sockets)).toEqual([]);
});

test('a socket for MySQL is left by kill -9, and taken over by the next one', async () => {
  await using mysql = await startStack('mysql');
  const authority = join(folder, 'mysql-ca.pem');
  writeFileSync(authority, mysql.emulator.ca);
  const sockets = join(folder, 'mysql-sockets');
  const at = `mysql://${mysql.username}@localhost:${mysql.emulator.port}/${mysql.database}`;
  const settings = [at, '--region', 'eu-west-1', '--ca', authority, '--socket', sockets];
  const enter = async () => {
    const socketPath = join(sockets, 'mysql.sock');
    const connection = await createConnection({ socketPath, user: mysql.username, connectTimeout: 60_000 });
    connection.on('error', () => {});
    onTestFinished(() => connection.destroy());
    return connection;
  };
  const killed = proxy(settings);
  const [printed] = await killed.said(/^mysql:\/\/\S+/m);
  await enter();
  killed.child.kill('SIGKILL');
  await killed.outcome;
  expect(readdirSync(sockets)).toEqual(['mysql.sock']);
  await expect.poll(() => mysql.sessions(), { timeout: 10_000 }).toBe(0);
  const next = proxy(settings);
  expect((await next.said(/^mysql:\/\/\S+/m))[0]).toBe(printed);
  const [rows] = await (await enter()).query('select 1 as one');
  expect(rows).toEqual([{ one: 1 }]);
  next.child.kill('SIGINT');
  await next.outcome;
  expect(readdirSync(sockets)).toEqual([]);
});

describe('settings', () => {
  test('come from flags, then the environment, then a file', async () => {
    const config = join(folder, 'proxy.json');
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'the-password\n');
    writeFileSync(
      config,
      JSON.stringify({ urls: [url], 'max-connections': 1, 'password-file': passwordFile, port: 1 }),
    );
    const running = proxy(['--config', config, '--ca', caFile], {
      RDS_IAM_PROXY_REGION: 'eu-west-1',
      RDS_IAM_PROXY_PORT: '0',
    });
    const printed = await printedUrl(running);
    // The user knows their own password.
    expect(printed).not.toContain('the-password');
    const withPassword = printed.replace('@', ':the-password@');
    await logIn(withPassword);
    await expect(logIn(withPassword)).rejects.toMatchObject({ code: '53300' });
  });

  test.each([
    [['--no-password'], {}, '--trust-local-users'],
    [['--address', '0.0.0.0'], {}, '--tls-cert'],
    [['--tls-cert', '/nonexistent'], {}, '--tls-cert cannot be read'],
    [['--password-file', '/nonexistent'], {}, '--password-file cannot be read'],
    [['--max-connections', 'many'], {}, '--max-connections must be'],
    [['--max-sigterm-delay', 'long'], {}, '--max-sigterm-delay must be'],
    [['--password-method', 'md5'], {}, '--password-method must be'],
    [['--config', '/nonexistent'], {}, '--config cannot be read'],
    [[], { RDS_IAM_PROXY_ANY_USER: 'yes' }, 'RDS_IAM_PROXY_ANY_USER must be true or false'],
    [['--no-password'], { RDS_IAM_PROXY_PASSWORD: 'secret' }, 'give one of them'],
  ])('%j with %j is wrong usage', async (args, variables, message) => {
    const outcome = await runHere(['proxy', url, ...flags(), ...args], { ...KEYS, ...variables });
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  test('no URL at all is wrong usage, and a port that is taken is a failure', async () => {
    expect(await runHere(['proxy'], KEYS)).toMatchObject({ exitCode: 2 });
    const running = proxy([url, ...flags()]);
    const { port } = new URL(await printedUrl(running));
    const second = await runHere(['proxy', url, ...flags(), '--port', port], KEYS);
    expect(second).toMatchObject({ exitCode: 1 });
    expect(second.stderr).toContain(`EADDRINUSE`);
    expect(existsSync(caFile)).toBe(true);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Stack, startStack } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { CREDENTIALS, expectNoSecrets } from '@rds-iam/test-servers';
import { decodeError, Reply } from '@rds-iam/wire/mysql';
import mariadb from 'mariadb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../harness.js';
import { ask, failure, logIn, rows, startSite, Wire } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('mysql');
});
afterAll(() => stack[Symbol.asyncDispose]());

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rds-iam-proxy-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('a login', () => {
  test("by mysql2 and the mariadb connector, with the port's password", async () => {
    const site = await startSite(stack);
    const before = stack.emulator.stats.accepted;
    expect(await ask(site.config)).toEqual([{ name: `${stack.username}@%` }]);
    const connection = await mariadb.createConnection(site.config);
    expect(await connection.query('select database() as db')).toEqual([{ db: stack.database }]);
    await connection.end();
    // The proxy's own login, for the greeting, and one for each client.
    expect(stack.emulator.stats.accepted - before).toBe(3);
    await until(() => site.events.filter(({ type }) => type === 'logout').length === 2);
    expect(site.events.map(({ type }) => type).filter((type) => type === 'login')).toHaveLength(2);
    expectNoSecrets(site.events, [CREDENTIALS.secretAccessKey, site.config.password as string]);
  });

  test.each(['wrong', '', undefined])(
    'with the password %j is refused, without reaching the server',
    async (password) => {
      const site = await startSite(stack);
      await ask(site.config);
      const before = stack.emulator.stats.connections;
      const error = await failure({ ...site.config, password: password as string });
      expect(error).toMatchObject({ errno: 1045, sqlState: '28000', message: expect.stringContaining(stack.username) });
      await until(() => site.proxy.stats.connected === 0);
      expect(site.events.filter(({ type }) => type === 'refusal')).toMatchObject([{ reason: 'password' }]);
      expect(stack.emulator.stats.connections).toBe(before);
    },
  );

  // An object has inherited members.
  test.each([
    ['toString', '[object Object]'],
    ['toLocaleString', '[object Object]'],
    ['constructor', 'secret'],
    ['__proto__', ''],
    ['mysql_clear_password', 'secret\0'],
  ])('with the plugin %s does not prove the password', async (plugin, answer) => {
    const site = await startSite(stack, { password: 'secret' });
    const wire = await Wire.open(site);
    wire.channel.write(wire.response(site, { plugin, authentication: Buffer.alloc(0) }));
    expect((await wire.channel.read(1000))[0]).toBe(Reply.authSwitch);
    wire.channel.write(Buffer.from(answer));
    const refusal = await wire.channel.read(1000);
    expect(refusal[0]).toBe(Reply.error);
    expect(decodeError(refusal)).toMatchObject({ code: 1045 });
    expect(site.proxy.stats).toMatchObject({ logins: 0, refused: { password: 1 } });
  });

  test('as another user, or to another database, is refused by name once the password is right', async () => {
    const site = await startSite(stack);
    expect(await failure({ ...site.config, user: 'root' })).toMatchObject({
      errno: 1045,
      message: expect.stringContaining(`this port is for the user "${stack.username}". Start the proxy`),
    });
    expect(await failure({ ...site.config, database: 'mysql' })).toMatchObject({ errno: 1044 });
    const stranger = await failure({ ...site.config, user: 'root', password: 'wrong' });
    expect(stranger.message).not.toContain(stack.username);
  });

  test("without a database gets the target's", async () => {
    const site = await startSite(stack);
    const { database: _, ...config } = site.config;
    expect(await ask(config, 'select database() as db')).toEqual([{ db: stack.database }]);
  });

  test('at a Unix socket works with any password, or none', async () => {
    const site = await startSite(stack, { socketFolder: folder() });
    expect(site.proxy.password).toBeUndefined();
    for (const password of ['anything', '']) expect(await ask({ ...site.config, password })).toHaveLength(1);
    const { socketPath, user, database } = site.config;
    const connection = await mariadb.createConnection({ socketPath: socketPath as string, user, database });
    await connection.end();
  });

  test('over TLS to the proxy, if it has a certificate', async () => {
    const authority = await createCertificateAuthority();
    const tls = await authority.issue({ hostnames: ['localhost'] });
    const site = await startSite(stack, { tls });
    const config = { ...site.config, host: 'localhost', ssl: { ca: authority.ca, verifyIdentity: true } };
    const connection = await logIn(config);
    expect(await rows(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    // And without TLS, at loopback.
    expect(await ask(site.config)).toHaveLength(1);
  });

  test('that the server refuses tells the client why', async () => {
    const site = await startSite(stack, { anyUser: true, iam: { ...stack.iam, retry: false } });
    expect(await failure({ ...site.config, database: 'nowhere' })).toMatchObject({ errno: 1044 });
    onTestFinished(() => stack.emulator.setFaults({}));
    stack.emulator.setFaults({ revokedAccessKeys: [CREDENTIALS.accessKeyId] });
    const error = await failure(site.config);
    expect(error).toMatchObject({ errno: 1045, sqlState: '28000' });
    expect(error.message).toContain('rds-iam doctor mysql://');
    expectNoSecrets(error, [CREDENTIALS.secretAccessKey, site.config.password as string]);
  });

  test('while no server can be reached is refused once the password is right', async () => {
    const site = await startSite({ ...stack, config: { ...stack.config, port: 9 } } as Stack, {
      iam: { ...stack.iam, retry: false },
    });
    expect((await failure({ ...site.config, password: 'wrong' })).message).toContain('Access denied');
    expect(await failure(site.config)).toMatchObject({
      errno: 1158,
      sqlState: '08S01',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    const connection = mariadb.createConnection(site.config);
    await expect(connection).rejects.toMatchObject({ errno: 1158 });
  });
});

describe('a session', () => {
  test("has the client's character set, attributes and capabilities", async () => {
    const site = await startSite(stack);
    const connection = await logIn({ ...site.config, charset: 'latin1_german1_ci', multipleStatements: true });
    const sql = 'select @@collation_connection as collation; select 2 as two';
    expect(await rows(connection, sql)).toEqual([[{ collation: 'latin1_german1_ci' }], [{ two: 2 }]]);
  });

  test('sends files, more than 16 MB, and results of any size', async () => {
    const site = await startSite(stack);
    const connection = await logIn({ ...site.config, flags: ['+LOCAL_FILES'] });
    const lines = Array.from({ length: 1000 }, (_, line) => Buffer.from(`\x11${line}\n`));
    await connection.query('create temporary table t (a text)');
    const load = { sql: "load data local infile 'x' into table t", infileStreamFactory: () => Readable.from(lines) };
    expect((await connection.query(load as never))[0]).toMatchObject({ affectedRows: lines.length });
    const [settings] = await rows(connection, 'select @@max_allowed_packet as allowed');
    const long = 'x'.repeat(Math.min(settings?.['allowed'] - 1000, 17_000_000));
    expect(await rows(connection, 'select length(?) as n', [long])).toEqual([{ n: long.length }]);
    expect(await rows(connection, 'select count(*) as n from t')).toEqual([{ n: lines.length }]);
  });

  test("KILL with the id from the client's greeting ends its thread at the server", async () => {
    const site = await startSite(stack);
    const [one, other] = [await logIn(site.config), await logIn(site.config)];
    expect(one.threadId).not.toBe(other.threadId);
    const id = (await rows(one, 'select connection_id() as id'))[0]?.['id'];
    expect(id).not.toBe(one.threadId);
    for (const kill of [`kill query ${one.threadId}`, `KILL QUERY ${id};`]) {
      const sleeping = rows(one, 'select sleep(60) as interrupted').catch(({ errno }) => [
        { interrupted: Number(errno === 1317) },
      ]);
      await until(async () => {
        const [process] = await rows(other, 'select state from information_schema.processlist where id = ?', [id]);
        return /sleep/i.test(String(process?.['state'] ?? process?.['STATE']));
      });
      await other.query(kill);
      expect(await sleeping).toEqual([{ interrupted: 1 }]);
    }
    const gone = new Promise((resolve) => one.once('error', resolve));
    await other.query(`kill ${one.threadId}`);
    expect(await gone).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    // The id of an ended session is left to the server.
    await until(() => site.proxy.stats.connected === 1);
    await expect(other.query(`kill ${one.threadId}`)).rejects.toMatchObject({ errno: 1094 });
  });

  test('ends when the client does, and lets it end when the server does', async () => {
    const site = await startSite(stack);
    const connection = await logIn(site.config);
    expect(await stack.sessions()).toBeGreaterThan(0);
    connection.destroy();
    await until(async () => (await stack.sessions()) === 0);
    const other = await logIn(site.config);
    const gone = new Promise((resolve) => other.once('error', resolve));
    stack.emulator.dropConnections();
    await gone;
    await until(() => site.proxy.stats.connected === 0);
  });
});

describe('a change of user', () => {
  test('to the same user begins a new session with its own token, and does not count as a login', async () => {
    const site = await startSite(stack);
    const connection = await logIn(site.config);
    await connection.query('set @a = 1');
    const before = stack.emulator.stats.accepted;
    const { user, password = '', database } = site.config;
    await connection.changeUser({ user, password, database });
    expect(await rows(connection, 'select @a as a, database() as db')).toEqual([{ a: null, db: database }]);
    expect(stack.emulator.stats.accepted).toBe(before + 1);
    expect(stack.emulator.stats.connections).toBeGreaterThan(0);
  });

  test('with a wrong password, or to a user that the port is not for, ends the connection', async () => {
    const site = await startSite(stack);
    const { user, password = '', database } = site.config;
    for (const [change, message] of [
      [{ user, password: 'wrong', database }, /Access denied/],
      [{ user: 'root', password, database }, /this port is for the user/],
    ] as const) {
      const connection = await logIn(site.config);
      await expect(connection.changeUser(change)).rejects.toMatchObject({ message: expect.stringMatching(message) });
      await until(() => site.proxy.stats.connected === 0);
    }
    expect(site.proxy.stats.refused).toMatchObject({ password: 1, user: 1 });
  });

  test('that is refused ends the connection even if the client does not close its side', async () => {
    const site = await startSite(stack, { authenticationTimeoutMs: 1_000 });
    const { user, database, host = '', port = 0 } = site.config;
    const socket = connect({ host, port, allowHalfOpen: true });
    const destroy = socket.destroy.bind(socket);
    onTestFinished(() => void destroy());
    Object.assign(socket, { end: () => socket, destroy: () => socket });
    const connection = await logIn({ ...site.config, stream: socket });
    await expect(connection.changeUser({ user, password: 'wrong', database })).rejects.toThrow('Access denied');
    expect(site.proxy.stats.admitted).toBe(1);
    await until(() => site.proxy.stats.admitted === 0);
  });
});

import type { MariadbServer } from '@rds-iam/test-servers';
import { type ChangeUser, encodeChangeUser, encodePacket, findAnswer } from '@rds-iam/wire/mysql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoginEvent } from '../../src/index.js';
import { failure, until } from '../harness.js';
import {
  CHARACTER_SET,
  client,
  connector,
  errorPacket,
  PASSWORD,
  rows,
  sign,
  start,
  startServer,
  Wire,
} from './harness.js';

const AUTH_SWITCH = Buffer.from('\xfemysql_clear_password\0', 'latin1');
const WHO = 'select current_user() as who';

let server: MariadbServer;
beforeAll(async () => {
  server = await startServer({ settings: { general_log: 'ON', log_output: 'TABLE' } });
});
afterAll(() => server.close());

const query = (sql: string): Buffer => encodePacket(0, Buffer.from(`\x03${sql}`));

/** A COM_CHANGE_USER. */
const change = (username: string, options: Partial<ChangeUser> = {}): Buffer =>
  encodeChangeUser({
    username,
    authentication: Buffer.alloc(20, 7),
    database: Buffer.from('shop'),
    characterSet: CHARACTER_SET,
    plugin: 'mysql_native_password',
    rest: Buffer.alloc(0),
    ...options,
  });

async function loggedIn(emulator: { hostname: string; port: number; ca: string }): Promise<Wire> {
  const wire = await Wire.openToToken(emulator);
  await wire.write(`${await sign(emulator)}\0`).read();
  return wire;
}

describe('COM_CHANGE_USER', () => {
  test("from mysql2 needs the new user's token, and begins a new session", async () => {
    await using emulator = await start(server);
    const connection = await client(emulator);
    await connection.query('set @a = 1');
    for (const user of ['other', 'nobody_asks', 'app']) {
      await connection.changeUser({ user, password: await sign(emulator, { username: user }), database: 'mysql' });
      expect(await rows(connection, `${WHO}, database() as db, @a as a`)).toEqual([
        { who: `${user}@%`, db: 'mysql', a: null },
      ]);
    }
    await connection.end();
    expect(emulator.stats).toMatchObject({ connections: 1, accepted: 4 });
    await until(() => emulator.stats.open === 0);
  });

  test('from the mariadb connector, and its reset', async () => {
    await using emulator = await start(server);
    const connection = await connector(emulator);
    if (server.flavour === 'mariadb') {
      // The connector itself refuses to change the user on MySQL.
      const password = await sign(emulator, { username: 'other' });
      await connection.changeUser({ user: 'other', password, database: 'shop' });
      expect(await connection.query(WHO)).toEqual([{ who: 'other@%' }]);
    }
    await connection.query('set @a = 1');
    await connection.reset();
    expect(await connection.query('select @a as a')).toEqual([{ a: null }]);
    await connection.end();
  });

  const refused: ReadonlyArray<[reason: string, token: (e: { hostname: string; port: number }) => Promise<string>]> = [
    ['wrong-user', (e) => sign(e)],
    ['malformed', async () => PASSWORD],
    ['expired', (e) => sign(e, { username: 'other' })],
  ];
  test.each(refused)('with a refused token (%s) ends the session', async (reason, token) => {
    let time = Date.now();
    const log: LoginEvent[] = [];
    await using emulator = await start(server, { now: () => time, onLogin: (login) => log.push(login) });
    const connection = await client(emulator);
    if (reason === 'expired') time += 901_000;
    const changing = connection.changeUser({ user: 'other', password: await token(emulator), database: 'shop' });
    expect(await failure(changing)).toMatchObject({
      errno: 1045,
      message: "Access denied for user 'other'@'127.0.0.1' (using password: YES)",
    });
    expect(emulator.stats).toMatchObject({ accepted: 1, refused: { [reason]: 1 } });
    expect(log).toMatchObject([
      { username: 'app', outcome: 'accepted' },
      { atMs: time, username: 'other', outcome: 'refused', reason },
    ]);
    connection.destroy();
    await until(() => emulator.stats.open === 0);
  });

  test('is refused with the same bytes as by MySQL, and does not reach the upstream', async () => {
    await using emulator = await start(server);
    await using wire = await loggedIn(emulator);
    const root = await server.connectAsSuperuser();
    const changes = () => rows(root, "select * from mysql.general_log where command_type = 'Change user'");
    const before = await changes();
    wire.send(encodePacket(0, change('other')));
    expect(await wire.answer().read()).toEqual(AUTH_SWITCH);
    wire.write('guess\0');
    expect(await wire.rest()).toEqual(
      errorPacket(3, 1045, '28000', "Access denied for user 'other'@'127.0.0.1' (using password: YES)"),
    );
    expect(await changes()).toEqual(before);

    const connection = await client(emulator);
    const password = await sign(emulator, { username: 'other' });
    await connection.changeUser({ user: 'other', password, database: 'shop' });
    await connection.end();
    expect(await changes(), 'a good one does').not.toHaveLength(before.length);
    const leaked =
      "select * from mysql.general_log where argument like '%X-Amz%' and argument not like '%general_log%'";
    expect(await rows(root, leaked)).toEqual([]);
    await root.end();
  });

  test('that immediately follows other commands is answered after them', async () => {
    await using emulator = await start(server);
    await using wire = await loggedIn(emulator);
    wire.send(
      Buffer.concat([
        query("select repeat('x', 3000000) as a"),
        query('do sleep(0.2)'),
        // Looks like the answer that the emulator is waiting for, but is not.
        query("signal sqlstate '42000' set mysql_errno = 1049, message_text = 'Unknown database'"),
        encodePacket(0, change('other')),
      ]),
    );
    wire.answer();
    const answers: Buffer[] = [];
    // The number of columns, the column, an EOF, the row, an EOF.
    while (answers.length < 5) answers.push(await wire.read());
    expect(answers[3]?.length).toBe(3_000_004);
    expect((await wire.answer().read())[0]).toBe(0);
    expect((await wire.answer().read()).toString('latin1')).toBe('\xff\x19\x04#42000Unknown database');
    expect(await wire.answer().read()).toEqual(AUTH_SWITCH);
    wire.write(`${await sign(emulator, { username: 'other' })}\0`);
    expect((await wire.read())[0]).toBe(0);

    wire.send(query(WHO)).answer();
    for (let packet = 0; packet < 3; packet += 1) await wire.read();
    expect((await wire.read()).toString('latin1')).toBe('\x07other@%');
  });

  test('is found however TCP splits the bytes', async () => {
    await using emulator = await start(server);
    for (const size of [1, 2, 3, 5]) {
      await using wire = await loggedIn(emulator);
      const bytes = Buffer.concat([query('do 1'), encodePacket(0, change('other'))]);
      for (let at = 0; at < bytes.length; at += size) {
        await new Promise((resolve) => wire.stream.write(bytes.subarray(at, at + size), resolve));
      }
      expect((await wire.answer().read())[0]).toBe(0);
      expect(await wire.answer().read()).toEqual(AUTH_SWITCH);
    }
  });

  test('cannot be confused with the bytes of other commands', async () => {
    await using emulator = await start(server);
    const connection = await client(emulator);
    const body = Buffer.concat([
      Buffer.alloc(0xffffff, 0x11),
      encodePacket(0, change('other')),
      Buffer.alloc(99, 0x11),
    ]);
    await connection.query('create temporary table t (body longblob)');
    await connection.execute('insert into t values (?)', [body]);
    await connection.query('insert into t values (?)', [body]);
    expect(
      await rows(connection, 'select count(*) as n, count(distinct md5(body)) as d, max(length(body)) as l from t'),
    ).toEqual([{ n: 2, d: 1, l: body.length }]);
    expect(await rows(connection, WHO)).toEqual([{ who: 'app@%' }]);
    await connection.end();
  });

  test("that the upstream refuses gets the upstream's own error", async () => {
    await using emulator = await start(server);
    const connection = await client(emulator);
    const password = await sign(emulator, { username: 'other' });
    expect(await failure(connection.changeUser({ user: 'other', password, database: 'nowhere' }))).toMatchObject({
      errno: 1049,
      message: "Unknown database 'nowhere'",
    });
    connection.destroy();
    await until(() => emulator.stats.open === 0);
  });

  test('of a user without IAM is left to the upstream', async () => {
    await using emulator = await start(server, { iamUsers: ['app', 'nobody_asks'] });
    const connection = await client(emulator);
    await connection.changeUser({ user: 'other', password: PASSWORD, database: 'shop' });
    expect(await rows(connection, WHO)).toEqual([{ who: 'other@%' }]);
    await connection.changeUser({ user: 'app', password: await sign(emulator), database: 'shop' });
    expect(await rows(connection, WHO)).toEqual([{ who: 'app@%' }]);
    const wrong = connection.changeUser({ user: 'other', password: 'guess', database: 'shop' });
    expect(await failure(wrong)).toMatchObject({ errno: 1045 });
    connection.destroy();
    expect(emulator.stats).toMatchObject({ accepted: 2, relayed: 2 });
    await until(() => emulator.stats.open === 0);
  });

  test('of a user without IAM and without a password is refused', async () => {
    await using emulator = await start(server, { iamUsers: ['app'] });
    await using wire = await loggedIn(emulator);
    wire.send(encodePacket(0, change('nobody_asks', { authentication: Buffer.alloc(0) })));
    expect((await wire.answer().read())[0]).toBe(0xfe);
    wire.write('');
    expect(await wire.rest()).toEqual(
      errorPacket(3, 1045, '28000', "Access denied for user 'nobody_asks'@'127.0.0.1' (using password: NO)"),
    );
    expect(emulator.stats.refused['static-password']).toBe(1);
  });

  test('can be throttled and time out, like a login', async () => {
    await using emulator = await start(server, { authenticationTimeoutMs: 500 });
    const connection = await client(emulator);
    emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', wording: 'rds-proxy' } });
    const password = await sign(emulator, { username: 'other' });
    expect(await failure(connection.changeUser({ user: 'other', password, database: 'shop' }))).toMatchObject({
      errno: 1040,
      message: 'IAM authentication rate limit exceeded',
    });
    connection.destroy();
    emulator.setFaults({});
    await using wire = await loggedIn(emulator);
    expect(
      await wire
        .send(encodePacket(0, change('other')))
        .answer()
        .read(),
    ).toEqual(AUTH_SWITCH);
    expect(await wire.rest(), 'nothing but the time-out').toEqual(Buffer.alloc(0));
    expect(emulator.stats.refused.timeout).toBe(1);
  });

  test.each([
    ['malformed', encodePacket(0, Buffer.from('\x11other')), 1043],
    ['longer than any', encodePacket(0, Buffer.concat([change('other'), Buffer.alloc(200_000)])), 1153],
  ])('that is %s ends the session', async (_what, bytes, code) => {
    await using emulator = await start(server);
    await using wire = await loggedIn(emulator);
    const answer = await wire.send(bytes).rest();
    expect([answer[4], answer.readUInt16LE(5)]).toEqual([0xff, code]);
    expect(emulator.stats.refused.protocol).toBe(1);
  });

  test('during which the client or the upstream leaves', async () => {
    await using emulator = await start(server);
    const wire = await loggedIn(emulator);
    await wire
      .send(encodePacket(0, change('other')))
      .answer()
      .read();
    wire.raw.resetAndDestroy();
    await until(() => emulator.stats.open === 0);

    await using other = await loggedIn(emulator);
    await other
      .send(encodePacket(0, change('other')))
      .answer()
      .read();
    const root = await server.connectAsSuperuser();
    for (const { id } of await rows(root, "select id as id from information_schema.processlist where user = 'app'")) {
      await root.query(`kill ${id}`);
    }
    await root.end();
    other.write(`${await sign(emulator, { username: 'other' })}\0`);
    const answer = await other.rest();
    expect([answer[4], answer.readUInt16LE(5)]).toEqual([0xff, 1053]);
  });
});

test('the answer that ends earlier replies is recognized by its name, its number and its end', () => {
  const name = 'n'.repeat(32);
  const answer = encodePacket(1, Buffer.from(`\xff\x19\x04#42000Unknown database '${name}'`, 'latin1'));
  expect(findAnswer(answer, name)).toBe(0);
  expect(findAnswer(Buffer.concat([Buffer.alloc(9, 1), answer]), name)).toBe(9);
  for (let cut = 1; cut < answer.length; cut += 1) expect(findAnswer(answer.subarray(0, -cut), name)).toBeUndefined();
  expect(findAnswer(encodePacket(2, answer.subarray(4)), name)).toBeUndefined();
  expect(findAnswer(encodePacket(1, Buffer.from(name)), name)).toBeUndefined();
});

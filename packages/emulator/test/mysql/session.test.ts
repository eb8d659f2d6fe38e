import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { MariadbServer } from '@rds-iam/test-servers';
import { Capability, Command } from '@rds-iam/wire/mysql';
import type mysql from 'mysql2/promise';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Emulator } from '../../src/index.js';
import { failure, until } from '../harness.js';
import { ask, CAPABILITIES, client, connector, rows, sign, start, startServer, Wire } from './harness.js';

const BIG_BYTES = 40_000_000;
const hash = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex');

let server: MariadbServer;
let emulator: Emulator;
let root: Connection;
beforeAll(async () => {
  server = await startServer();
  emulator = await start(server);
  root = await server.connectAsSuperuser();
});
afterAll(async () => {
  await root.end();
  await emulator.close();
  await server.close();
});

/** A client that has logged in, at the level of packets. */
async function loggedIn(capabilities = CAPABILITIES): Promise<Wire> {
  const wire = await Wire.openToToken(emulator, { capabilities });
  const ok = await wire.write(`${await sign(emulator)}\0`).read();
  expect(ok[0]).toBe(0);
  return wire;
}

const processes = async (id: number) =>
  (await rows(root, 'select * from information_schema.processlist where id = ?', [id])).length;

describe('bytes', () => {
  // More than two packets of maximum length; and exactly two, which an empty one has to end.
  test.each([BIG_BYTES, 2 * 0xffffff - 1])('%d of a query, and of its answer', async (bytes) => {
    const connection = await client(emulator, {});
    const prefix = "select md5('";
    const filler = 'x'.repeat(bytes - prefix.length - "') as md5".length);
    expect(await rows(connection, `${prefix}${filler}') as md5`)).toEqual([{ md5: hash(filler) }]);
    const [answer] = await rows(connection, `select repeat('0123456789', ${bytes / 10}) as text`);
    expect(hash(answer?.['text'])).toBe(hash('0123456789'.repeat(Math.round(bytes / 10))));
    await connection.end();
  });

  test('of prepared statements, long data and a cursor', async () => {
    const connection = await client(emulator);
    await connection.query('create temporary table t (id int primary key, body longblob)');
    const body = Buffer.alloc(20_000_000, 'a blob, ');
    for (const id of [1, 2, 3]) {
      await connection.execute('insert into t values (?, ?)', [id, id === 2 ? body : Buffer.from([0x11])]);
    }
    const [result] = await connection.execute<mysql.RowDataPacket[]>('select body from t where id = ?', [2]);
    expect(hash(result[0]?.['body'])).toBe(hash(body));
    await connection.end();

    const other = await connector(emulator);
    await other.query('create temporary table u (id int primary key, body longblob)');
    await other.execute('insert into u values (?, ?)', [
      1,
      Readable.from([body.subarray(0, 1_000_000), body.subarray(1_000_000)]),
    ]);
    await other.batch(
      'insert into u values (?, ?)',
      Array.from({ length: 200 }, (_, i) => [i + 2, Buffer.from([0x11, 0, 0x11])]),
    );
    expect(await other.query('select count(*) as n, max(md5(body)) as md5 from u where id in (1)')).toEqual([
      { n: 1n, md5: hash(body) },
    ]);
    await other.end();
  });

  test('of several statements at once', async () => {
    const connection = await client(emulator, { multipleStatements: true });
    const [results] = await connection.query('select 1 as a; do 0; select 2 as b');
    expect(results).toMatchObject([[{ a: 1 }], { affectedRows: 0 }, [{ b: 2 }]]);
    await connection.end();
    expect(await failure(ask(emulator, { multipleStatements: false }, 'select 1; select 2'))).toMatchObject({
      errno: 1064,
    });
  });

  test('sent together with the token, before its answer, are not lost', async () => {
    await using wire = await Wire.openToToken(emulator);
    wire.write(`${await sign(emulator)}\0`);
    const queries = Array.from({ length: 100 }, (_, i) => Buffer.from(`\x03select ${i} as n, '\x11'`));
    const long = Buffer.from(`\x03select '${'x'.repeat(100_000)}'`);
    for (const query of [...queries, long]) {
      const header = Buffer.alloc(4);
      header.writeUIntLE(query.length, 0, 3);
      wire.send(Buffer.concat([header, query]));
    }
    wire.send(Buffer.from([1, 0, 0, 0, Command.quit]));
    const answers = await wire.rest();
    const numbers: number[] = [];
    for (let at = 0; at < answers.length; ) {
      const end = at + 4 + answers.readUIntLE(at, 3);
      const digits = answers[at + 4] ?? 0;
      // A row of a number and one character.
      if (digits <= 2 && end === at + 4 + 1 + digits + 2)
        numbers.push(Number(answers.toString('latin1', at + 5, end - 2)));
      at = end;
    }
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(answers.toString()).toContain('x'.repeat(100_000));
  });
});

describe('a large result', () => {
  // 500 MB take some seconds: RDS_IAM_LARGE_RESULT_MB=500.
  const megabytes = Number(process.env['RDS_IAM_LARGE_RESULT_MB'] ?? 100);
  const sql = `with recursive n as (select 1 as i union all select i + 1 from n where i < ${megabytes})
    select repeat('x', 1000000) from n`;

  test('is not buffered', async () => {
    await using wire = await loggedIn();
    wire.command(Command.query, sql);
    wire.reader.release();
    const before = process.memoryUsage().rss;
    let [received, peak] = [0, 0];
    await new Promise<void>((resolve) => {
      wire.stream.on('data', (bytes: Buffer) => {
        received += bytes.length;
        peak = Math.max(peak, process.memoryUsage.rss() - before);
        if (received >= megabytes * 1_000_000) resolve();
      });
    });
    expect(peak).toBeLessThan(64_000_000);
  });

  test('stays in the upstream while the client does not read', async () => {
    await using wire = await loggedIn();
    const before = process.memoryUsage.rss();
    wire.command(Command.query, sql);
    const state = async () => {
      const [thread] = await rows(root, "select state as state from information_schema.processlist where user = 'app'");
      return String(thread?.['state']);
    };
    // It goes on until the buffers on the way are full.
    let [stuck, bytes] = [0, 0];
    await until(async () => {
      stuck = /writing to net|sending to client/i.test(await state()) && bytes === wire.raw.bytesRead ? stuck + 1 : 0;
      bytes = wire.raw.bytesRead;
      return stuck === 100;
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(64_000_000);
    wire.raw.resetAndDestroy();
  });
});

describe('what the client asked for at the login', () => {
  test('its character set', async () => {
    for (const charset of ['latin1_german1_ci', 'utf8mb4_unicode_ci']) {
      const [answer] = await ask(
        emulator,
        { charset },
        "select 'äöü' as text, hex('ä') as hex, @@character_set_client as charset, @@collation_connection as collation",
      );
      expect(answer).toEqual({
        text: 'äöü',
        hex: charset.startsWith('latin1') ? 'E4' : 'C3A4',
        charset: charset.split('_')[0],
        collation: charset,
      });
    }
  });

  test('its database, or none', async () => {
    expect(await ask(emulator, { database: 'mysql' }, 'select database() as db')).toEqual([{ db: 'mysql' }]);
    expect(await ask(emulator, { database: undefined as never }, 'select database() as db')).toEqual([{ db: null }]);
  });

  test('found rows, and the connection attributes', async () => {
    const strict = await client(emulator, { flags: ['-FOUND_ROWS'] });
    const lax = await client(emulator, { flags: ['+FOUND_ROWS'] });
    for (const [connection, affected] of [
      [strict, 0],
      [lax, 1],
    ] as const) {
      await connection.query('create temporary table t (a int)');
      await connection.query('insert into t values (1)');
      expect((await connection.query('update t set a = 1'))[0]).toMatchObject({ affectedRows: affected });
      await connection.end();
    }
  });

  test('the connection attributes', async () => {
    await using own = await startServer({ settings: { performance_schema: 'ON' } });
    await using before = await start(own);
    const sql = `select attr_name as name, attr_value as value from performance_schema.session_connect_attrs
      where processlist_id = connection_id()`;
    const long = 'v'.repeat(400);
    const attributes = await ask(before, { connectAttributes: { program_name: 'naïve', long } }, sql);
    expect(attributes).toEqual(
      expect.arrayContaining([
        { name: 'program_name', value: 'naïve' },
        { name: 'long', value: long },
      ]),
    );
  });

  test.each([
    ['compression', Capability.compress | Capability.zstdCompression],
    ['several factors of authentication', Capability.multiFactorAuthentication],
  ])('but not %s, which is not offered', async (_what, flags) => {
    await using wire = await Wire.open(emulator);
    expect((wire.greeting?.capabilities ?? flags) & flags).toBe(0);
    // A client that uses it anyway gets a session without it.
    await using session = await loggedIn(CAPABILITIES | flags);
    expect((await session.command(Command.query, "set @a = 'x'").read())[0]).toBe(0);
  });

  test('LOAD DATA LOCAL of a file in more packets than there are sequence numbers, and a change of user after it', async () => {
    const connection = await client(emulator, { flags: ['+LOCAL_FILES'] });
    const lines = Array.from({ length: 3000 }, (_, line) => Buffer.from(`\x11${line}\n`));
    await connection.query('create temporary table t (a text)');
    const load = { sql: "load data local infile 'x' into table t", infileStreamFactory: () => Readable.from(lines) };
    expect((await connection.query(load as never))[0]).toMatchObject({ affectedRows: lines.length });
    const empty = { ...load, infileStreamFactory: () => Readable.from([]) };
    expect((await connection.query(empty as never))[0]).toMatchObject({ affectedRows: 0 });
    expect(await rows(connection, 'select count(*) as n from t')).toEqual([{ n: lines.length }]);
    const password = await sign(emulator, { username: 'other' });
    await connection.changeUser({ user: 'other', password, database: 'shop' });
    expect(await rows(connection, 'select current_user() as who')).toEqual([{ who: 'other@%' }]);
    await connection.end();
  });

  test('compress: true is a session without compression', async () => {
    expect(await ask(emulator, { compress: true }, "show status like 'Compression'")).toEqual([
      { Variable_name: 'Compression', Value: 'OFF' },
    ]);
  });
});

describe('other commands', () => {
  test("KILL QUERY, with the id from the client's greeting", async () => {
    const connection = await client(emulator);
    const id = connection.threadId;
    expect(await rows(connection, 'select connection_id() as id')).toEqual([{ id }]);
    // MariaDB answers with an error, MySQL with a 1.
    const sleeping = rows(connection, 'select sleep(60) as interrupted').catch((error) => [
      { interrupted: Number(error.errno === 1317) },
    ]);
    await until(async () => {
      const [process] = await rows(root, 'select state from information_schema.processlist where id = ?', [id]);
      return /sleep/i.test(process?.['state'] ?? process?.['STATE'] ?? '');
    });
    await using killer = await start(server);
    const other = await client(killer);
    await other.query(`kill query ${id}`);
    expect(await sleeping).toEqual([{ interrupted: 1 }]);
    expect(await rows(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    const gone = failure(rows(connection, 'select sleep(60)'));
    await other.query(`kill ${id}`);
    expect((await gone).message).not.toBe('');
    await other.end();
  });

  test('COM_RESET_CONNECTION passes', async () => {
    const connection = await client(emulator);
    await connection.query('set @a = 1');
    await connection.reset();
    expect(await rows(connection, 'select @a as a, current_user() as who')).toEqual([{ a: null, who: 'app@%' }]);
    await connection.end();
  });

  test('ping, statistics, and an invalid one', async () => {
    await using wire = await loggedIn();
    expect((await wire.command(0x0e).read())[0]).toBe(0);
    expect((await wire.command(0x09).read()).toString()).toMatch(/^Uptime: /);
    const unknown = await wire.command(0x7f).read();
    expect([unknown[0], unknown.readUInt16LE(1)]).toEqual([0xff, 1047]);
    // An empty command is invalid, too, and does not hide another.
    expect(
      (
        await wire
          .send(Buffer.from([0, 0, 0, 0]))
          .command(0x0e)
          .read()
      )[0],
    ).toBe(0xff);
  });
});

describe('the end of a session', () => {
  test("a dropped client's thread ends", async () => {
    const connection = await client(emulator);
    const id = connection.threadId;
    connection.query('select sleep(0.2)').catch(() => {});
    expect(await processes(id)).toBe(1);
    connection.destroy();
    await until(async () => (await processes(id)) === 0);
    await until(() => emulator.stats.open === 0);
  });

  test('a killed thread ends the client', async () => {
    const connection = await client(emulator);
    const ended = new Promise((resolve) => connection.once('error', resolve));
    await root.query(`kill ${connection.threadId}`);
    expect(await ended).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    await until(() => emulator.stats.open === 0);
  });

  test('half-close: the answer still comes', async () => {
    await using wire = await loggedIn();
    wire.command(Command.query, 'do sleep(0.1); ').stream.end();
    expect((await wire.read())[0]).toBe(0);
    await wire.rest();
    await until(() => emulator.stats.open === 0);
  });

  test('dropConnections drops sessions, and nothing else', async () => {
    const connections = [await client(emulator), await client(emulator)];
    await using half = await Wire.openToToken(emulator);
    const errors = connections.map((connection) => new Promise((resolve) => connection.once('error', resolve)));
    expect(emulator.dropConnections()).toBe(2);
    await Promise.all(errors);
    await until(() => emulator.stats.open === 1);
    expect((await half.write(`${await sign(emulator)}\0`).read())[0]).toBe(0);
  });

  test('a session is not closed by the time-out of its login', async () => {
    await using impatient = await start(server, { authenticationTimeoutMs: 1000 });
    expect(await ask(impatient, {}, 'select sleep(1.2) as slept')).toEqual([{ slept: 0 }]);
  });

  test('close ends everything, in any state', async () => {
    const closing = await start(server);
    const session = await client(closing);
    const ended = new Promise((resolve) => session.once('error', resolve));
    const [silent, half] = [await Wire.open(closing), await Wire.openToToken(closing)];
    await closing.close();
    await Promise.all([ended, silent.rest(), half.rest()]);
    expect(closing.stats.open).toBe(0);
    await until(async () => (await processes(session.threadId)) === 0);
  });
});

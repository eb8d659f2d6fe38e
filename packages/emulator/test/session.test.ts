import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeAuthentication, encodeMessage, encodePassword } from '@rds-iam/wire/postgres';
import pg from 'pg';
import { describe, expect, inject, test } from 'vitest';
import type { Emulator } from '../src/index.js';
import { client, failure, SSL_REQUEST, sign, start, until, Wire } from './harness.js';

const query = (sql: string) => encodeMessage('Q', Buffer.from(`${sql}\0`));

/** A stand-in for the database that lets everybody in, unless it is silent, and gives the test its sockets. */
async function fakeUpstream(silent = false) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.once('data', () => silent || socket.write(encodeAuthentication(0)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    sockets,
    upstream: { hostname: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function loggedInToFake(emulator: Emulator): Promise<Wire> {
  const wire = await Wire.openTls(emulator);
  wire.startup({ user: 'postgres' });
  await wire.read();
  wire.write(encodePassword(await sign(emulator)));
  expect((await wire.read()).bytes).toEqual(encodeAuthentication(0));
  return wire;
}

describe('bytes', () => {
  test('20 MB in each direction arrive as over a direct connection', async () => {
    await using emulator = await start();
    const connection = client(emulator);
    const direct = new pg.Client({
      host: inject('postgres').hostname,
      port: inject('postgres').port,
      user: 'postgres',
    });
    await Promise.all([connection.connect(), direct.connect()]);
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    const big = `select string_agg(md5(i::text), '') as text from generate_series(1, 640000) i`;
    const [{ text: viaEmulator }] = (await connection.query(big)).rows;
    const [{ text: viaNothing }] = (await direct.query(big)).rows;
    expect(viaEmulator.length).toBe(20_480_000);
    expect(hash(viaEmulator)).toBe(hash(viaNothing));
    expect((await connection.query('select md5($1) as md5', [viaEmulator])).rows).toEqual([
      { md5: createHash('md5').update(viaEmulator).digest('hex') },
    ]);
    await Promise.all([connection.end(), direct.end()]);
  });

  test('of 500 queries in a row get their answers in order', async () => {
    await using emulator = await start();
    await using wire = await Wire.openTls(emulator);
    wire.startup({ user: 'postgres', database: 'postgres' });
    await wire.read();
    wire.write(encodePassword(await sign(emulator)));
    while ((await wire.read()).type !== 'Z');
    const numbers = Array.from({ length: 500 }, (_, index) => String(index));
    wire.write(Buffer.concat(numbers.map((number) => query(`select ${number}`))));
    const answers: string[] = [];
    while (answers.length < numbers.length) {
      const { type, body } = await wire.read();
      if (type === 'D') answers.push(body.toString('utf8', 6));
    }
    expect(answers).toEqual(numbers);
  });

  test('sent together with the token, before its answer, are not lost', async () => {
    await using emulator = await start();
    await using wire = await Wire.openTls(emulator);
    const long = 'x'.repeat(100_000);
    wire.startup({ user: 'postgres', database: 'postgres' });
    wire.write(
      Buffer.concat([
        encodePassword(await sign(emulator)),
        query(`select '${long}'`),
        query('select 2'),
        encodeMessage('X', Buffer.alloc(0)),
      ]),
    );
    const types: string[] = [];
    const rows: string[] = [];
    for (const rest = await wire.rest(), at = { at: 0 }; at.at < rest.length; ) {
      const length = rest.readInt32BE(at.at + 1) + 1;
      const message = rest.subarray(at.at, at.at + length);
      types.push(message.toString('latin1', 0, 1));
      if (message[0] === 0x44) rows.push(message.toString('utf8', 11));
      at.at += length;
    }
    expect(types.filter((type) => !'SK'.includes(type)).join('')).toBe('RRZTDCZTDCZ');
    expect(rows).toEqual([long, '2']);
  });

  test('are held back when the other side does not read', async () => {
    await using fake = await fakeUpstream();
    await using emulator = await start({ upstream: fake.upstream });
    await using wire = await loggedInToFake(emulator);
    fake.sockets[0]?.pause();
    const block = Buffer.alloc(1 << 20);
    let sent = 0;
    // What fits into the buffers of the kernel, and no more.
    while (sent < 200) {
      if (!wire.socket.write(block) && !(await Promise.race([once(wire.socket, 'drain'), quiet()]))) break;
      sent += 1;
    }
    expect(sent).toBeLessThan(50);
    let received = 0;
    fake.sockets[0]?.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    fake.sockets[0]?.resume();
    await until(() => received === (sent + 1) << 20);
  });
});

/** Half a second in which nothing moved: the only wait here that cannot be for an event. */
const quiet = () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 500));

describe('the end of a session', () => {
  test('half-close: the other direction goes on', async () => {
    await using fake = await fakeUpstream();
    await using emulator = await start({ upstream: fake.upstream });

    await using client = await loggedInToFake(emulator);
    const [server] = fake.sockets;
    if (!server) throw new Error('no connection');
    client.socket.end('last words');
    const heard: Buffer[] = [];
    server.on('data', (bytes: Buffer) => heard.push(bytes));
    await once(server, 'end');
    expect(Buffer.concat(heard).toString()).toBe('last words');
    server.end('and an answer');
    expect((await client.rest()).toString()).toBe('and an answer');
    await until(() => emulator.stats.open === 0);

    await using other = await loggedInToFake(emulator);
    const second = fake.sockets[1];
    if (!second) throw new Error('no connection');
    second.end('goodbye');
    expect((await other.rest()).toString()).toBe('goodbye');
    other.socket.end('still here');
    expect((await once(second, 'data')).toString()).toBe('still here');
    await until(() => emulator.stats.open === 0);
  });

  test("a dropped client's backend ends", async () => {
    await using emulator = await start();
    const connection = client(emulator, { application_name: 'breaks-off' });
    connection.on('error', () => {});
    await connection.connect();
    const [{ pid }] = (await connection.query('select pg_backend_pid() as pid')).rows;
    connection.query('select pg_sleep(0.1)').catch(() => {});
    (connection as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
    const { hostname: host, port } = inject('postgres');
    const direct = new pg.Client({ host, port, user: 'postgres' });
    await direct.connect();
    await until(
      async () => (await direct.query('select 1 from pg_stat_activity where pid = $1', [pid])).rows.length === 0,
    );
    await direct.end();
    await until(() => emulator.stats.open === 0);
  });

  test('a client’s reset ends the upstream, an upstream’s reset the client', async () => {
    await using fake = await fakeUpstream();
    await using emulator = await start({ upstream: fake.upstream });

    const first = await Wire.open(emulator);
    const raw = first.socket;
    first.write(SSL_REQUEST);
    await first.reader.read(1);
    await first.startTls(emulator.ca);
    first.startup({ user: 'postgres' });
    await first.read();
    first.write(encodePassword(await sign(emulator)));
    await first.read();
    raw.resetAndDestroy();
    const [server] = fake.sockets;
    if (!server) throw new Error('no connection');
    await once(server.resume(), 'end');

    await using second = await loggedInToFake(emulator);
    fake.sockets[1]?.resetAndDestroy();
    await second.rest();
    await until(() => emulator.stats.open === 0);
  });

  test('a client that is dropped during the login leaves no connection to the upstream', async () => {
    await using fake = await fakeUpstream(true);
    await using emulator = await start({ upstream: fake.upstream });
    const wire = await Wire.open(emulator);
    const raw = wire.socket;
    wire.write(SSL_REQUEST);
    await wire.reader.read(1);
    await wire.startTls(emulator.ca);
    wire.startup({ user: 'postgres' });
    await wire.read();
    wire.write(encodePassword(await sign(emulator)));
    await until(() => fake.sockets.length === 1);
    raw.resetAndDestroy();
    const [server] = fake.sockets;
    if (!server) throw new Error('no connection');
    await once(server.resume(), 'end');
    expect(emulator.stats).toMatchObject({ accepted: 0, open: 0 });
  });

  test('a killed server process ends the client', async () => {
    await using emulator = await start();
    const connection = client(emulator);
    await connection.connect();
    const ended = new Promise<Error & { code?: string }>((resolve) => connection.once('error', resolve));
    const running = failure(connection.query('select pg_terminate_backend(pg_backend_pid())'));
    expect((await running).code).toBe('57P01');
    await ended;
    await until(() => emulator.stats.open === 0);
  });

  test('dropConnections drops sessions, and nothing else', async () => {
    await using emulator = await start();
    const connections = [client(emulator), client(emulator)];
    for (const connection of connections) await connection.connect();
    await using half = await Wire.openTls(emulator);
    half.startup({ user: 'postgres' });
    await half.read();
    const errors = connections.map((connection) => new Promise((resolve) => connection.once('error', resolve)));
    expect(emulator.dropConnections()).toBe(2);
    await Promise.all(errors);
    await until(() => emulator.stats.open === 1);
    expect(emulator.dropConnections()).toBe(0);
    half.write(encodePassword(await sign(emulator)));
    expect((await half.read()).bytes).toEqual(encodeAuthentication(0));
  });
});

describe('CancelRequest', () => {
  test.each([false, true])('is passed through, over TLS: %j', async (tls) => {
    await using emulator = await start();
    await using wire = await Wire.openTls(emulator);
    wire.startup({ user: 'postgres', database: 'postgres' });
    await wire.read();
    wire.write(encodePassword(await sign(emulator)));
    let key: Buffer = Buffer.alloc(0);
    for (let message = await wire.read(); message.type !== 'Z'; message = await wire.read()) {
      if (message.type === 'K') key = message.body;
    }
    wire.write(query('select pg_sleep(30)'));
    // A cancel request for a backend that is not busy yet would be lost.
    const { hostname: host, port } = inject('postgres');
    const direct = new pg.Client({ host, port, user: 'postgres' });
    await direct.connect();
    await until(async () => {
      const { rows } = await direct.query('select 1 from pg_stat_activity where pid = $1 and wait_event = $2', [
        key.readInt32BE(0),
        'PgSleep',
      ]);
      return rows.length === 1;
    });
    await direct.end();

    await using canceller = tls ? await Wire.openTls(emulator) : await Wire.open(emulator);
    canceller.write(Buffer.concat([Buffer.from([0, 0, 0, 16, 4, 210, 22, 46]), key]));
    expect(await canceller.rest()).toEqual(Buffer.alloc(0));
    let message = await wire.read();
    while (message.type !== 'E') message = await wire.read();
    expect(message.body.toString()).toContain('C57014\0Mcanceling statement due to user request');
    expect(emulator.stats.cancelRequests).toBe(1);
  });

  test('for an upstream that is out of reach just ends', async () => {
    await using emulator = await start({ upstream: { hostname: '127.0.0.1', port: 9 } });
    await using canceller = await Wire.open(emulator);
    canceller.write(Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 1]));
    expect(await canceller.rest()).toEqual(Buffer.alloc(0));
  });
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { authSwitch } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { ByteReader } from '@rds-iam/wire';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import { createPool } from '../src/promise.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

const CLIENT_COMPRESS = 0x20;
const CLIENT_SSL = 0x0800;
const SSL_REQUEST_LENGTH = 36;
const LONG = 'a text that compresses well, '.repeat(100_000);

/** A login as on RDS in front of a server, of which nothing is kept back: the emulator carries no compression. */
interface Relay extends AsyncDisposable {
  readonly port: number;
  readonly ca: string;
  /** How many logins asked for compression. */
  readonly compressed: number;
  /** How many bytes the server has sent in sessions. */
  readonly sent: number;
}

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** @param offersCompression - asked for each connection */
async function startRelay(offersCompression = () => true): Promise<Relay> {
  const authority = await createCertificateAuthority();
  const secureContext = createSecureContext(await authority.issue({ hostnames: ['localhost'] }));
  const sockets = new Set<Socket>();
  const seen = { compressed: 0, sent: 0 };
  const server = createServer((client) => {
    const upstream = connect(stack.upstream.port, stack.upstream.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    relay(client, upstream).catch(() => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function relay(client: Socket, upstream: Socket): Promise<void> {
    const theirs = packetsOf(upstream);
    const greeting = Buffer.from(await theirs.next());
    const flags = greeting.indexOf(0, 5) + 14;
    const withheld = offersCompression() ? 0 : CLIENT_COMPRESS;
    greeting.writeUInt16LE((greeting.readUInt16LE(flags) | CLIENT_SSL) & ~withheld, flags);
    client.write(greeting);
    const [request] = (await once(client, 'data')) as [Buffer];
    // The client's first words over TLS may come with its request for it.
    client.pause();
    if (request.length > SSL_REQUEST_LENGTH) client.unshift(request.subarray(SSL_REQUEST_LENGTH));
    const secure = new TLSSocket(client, { isServer: true, secureContext });
    secure.on('error', () => {});
    const ours = packetsOf(secure);
    const response = Buffer.from(await ours.next());
    secure.write(authSwitch(3, 'mysql_clear_password'));
    await ours.next();
    ours.release();
    const asked = response.readUInt32LE(4);
    if (asked & CLIENT_COMPRESS) seen.compressed++;
    response.writeUInt32LE((asked & ~CLIENT_SSL) >>> 0, 4);
    response[3] = 1;
    upstream.write(response);
    const ok = Buffer.from(await theirs.next());
    theirs.release();
    ok[3] = 5;
    secure.write(ok);
    upstream.on('data', (chunk) => {
      seen.sent += chunk.length;
    });
    upstream.pipe(secure).pipe(upstream);
  }

  return {
    port: (server.address() as AddressInfo).port,
    ca: authority.ca,
    get compressed() {
      return seen.compressed;
    },
    get sent() {
      return seen.sent;
    },
    async [Symbol.asyncDispose]() {
      try {
        // Older versions of mysql2 say goodbye some time after the end, and complain if nobody is there.
        await vi.waitFor(() => expect(sockets.size, 'no connection outlives its test').toBe(0), { timeout: 10_000 });
      } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, 'close');
      }
    },
  };
}

/** Packets with their headers. */
function packetsOf(stream: Socket) {
  const reader = new ByteReader(stream);
  return {
    async next() {
      const header = await reader.read(4);
      return Buffer.concat([header, await reader.read(header.readUIntLE(0, 3))]);
    },
    release: () => reader.release(),
  };
}

const optionsFor = ({ port, ca }: Relay) => ({
  ...{ host: 'localhost', port, user: stack.username, database: stack.database },
  iam: { region: REGION, credentials: CREDENTIALS, ca, retry: false as const },
});

interface Session {
  query(sql: string, values: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

const WAYS: Readonly<Record<string, (options: object) => Promise<Session>>> = {
  async mysql2(options) {
    const pool = callbacks.createPool(options).promise();
    return { query: async (sql, values) => (await pool.query(sql, values))[0], end: () => pool.end() };
  },
  async 'mysql2/promise'(options) {
    const pool = createPool(options);
    return { query: async (sql, values) => (await pool.query(sql, values))[0], end: () => pool.end() };
  },
  async mariadb(options) {
    const pool = connector.createPool(options);
    return { query: (sql, values) => pool.query(sql, values), end: () => pool.end() };
  },
};

test.each(Object.entries(WAYS))('%s: a session is compressed where the option asks for it', async (_, open) => {
  await using relay = await startRelay();
  const bytes: number[] = [];
  for (const compress of [false, true]) {
    const before = relay.sent;
    const session = await open({ ...optionsFor(relay), compress });
    // One after the other, and two at once over two connections.
    expect(await session.query('select ? as text', [LONG])).toEqual([{ text: LONG }]);
    const both = await Promise.all([LONG, 'short'].map((text) => session.query('select ? as text', [text])));
    expect(both).toEqual([[{ text: LONG }], [{ text: 'short' }]]);
    await session.end();
    bytes.push(relay.sent - before);
    if (!compress) expect(relay.compressed).toBe(0);
  }
  expect(relay.compressed).toBeGreaterThan(0);
  const [plain = 0, compressed = 0] = bytes;
  expect(compressed).toBeLessThan(plain / 10);
});

test.each(Object.entries(WAYS))('%s: a server that does not compress is spoken to plainly', async (name, open) => {
  const session = await open({ ...stack.config, compress: true });
  expect(await session.query('select ? as text', [name])).toEqual([{ text: name }]);
  await session.end();
});

test('connections of one driver, with compression and without', async () => {
  await using relay = await startRelay();
  const { iam, ...options } = optionsFor(relay);
  const driver = callbacks.mysql2Driver(callbacks.createRdsIam(iam));
  for (const compress of [true, false, true]) {
    const before = relay.compressed;
    const connection = driver.createConnection({ ...options, compress }).promise();
    expect((await connection.query('select ? as text', [LONG]))[0]).toEqual([{ text: LONG }]);
    await connection.end();
    expect(relay.compressed - before).toBe(compress ? 1 : 0);
  }
});

test('a pool whose server learns to compress', async () => {
  let offers = false;
  await using relay = await startRelay(() => offers);
  const pool = createPool({ ...optionsFor(relay), compress: true });
  for (const _ of ['without', 'with']) {
    const connection = await pool.getConnection();
    expect((await connection.query('select ? as text', [LONG]))[0]).toEqual([{ text: LONG }]);
    connection.destroy();
    offers = true;
  }
  await pool.end();
});

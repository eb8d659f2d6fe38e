import { constants, createHash, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type MariadbServer, startMariadb } from '@rds-iam/test-servers';
import { ByteReader } from '@rds-iam/wire';
import {
  Channel,
  decodeHandshakeResponse,
  encodeError,
  encodeGreeting,
  encodePacket,
  type Greeting,
  nulTerminated,
} from '@rds-iam/wire/mysql';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCertificateAuthority } from '../../src/index.js';
import { failure, until } from '../harness.js';
import { ask, client, PASSWORD, rows, sign, start, startServer, Wire } from './harness.js';

const WHO = 'select current_user() as who';

let server: MariadbServer;
let ca = '';
beforeAll(async () => {
  const authority = await createCertificateAuthority();
  ca = authority.ca;
  server = await startServer({
    tls: await authority.issue({ hostnames: ['localhost', '127.0.0.1'] }),
    settings: { max_connections: '10' },
  });
  const root = await server.connectAsSuperuser();
  await root.query(`create user over_tls@'%' identified by ? require ssl`, [PASSWORD]);
  await root.end();
});
afterAll(() => server.close());

describe('after a good token the emulator logs in', () => {
  test.each(['app', 'nobody_asks'])('as %s', async (user) => {
    await using emulator = await start(server);
    expect(await ask(emulator, { user }, WHO)).toEqual([{ who: `${user}@%` }]);
  });

  test('over TLS', async () => {
    await using emulator = await start(server, { upstream: { tls: { ca } } });
    expect(await ask(emulator, { user: 'over_tls', database: '' }, "show status like 'Ssl_version'")).toMatchObject([
      { Value: expect.stringContaining('TLS') },
    ]);
    await using plain = await start(server);
    expect(await failure(ask(plain, { user: 'over_tls', database: '' }))).toMatchObject({ errno: 1045 });
    expect(plain.stats.refused.upstream).toBe(1);
  });
});

describe('an upstream that refuses or fails', () => {
  test('its own errors come through, byte for byte', async () => {
    await using emulator = await start(server, { upstream: { password: 'wrong' } });
    const direct = { host: server.hostname, port: server.port, user: 'app', password: 'wrong' };
    const { message } = await failure(mysql.createConnection(direct));
    expect(await failure(ask(emulator))).toMatchObject({ errno: 1045, sqlState: '28000', message });

    await using good = await start(server);
    expect(await failure(ask(good, { database: 'nowhere' }))).toMatchObject({
      errno: 1049,
      sqlState: '42000',
      message: "Unknown database 'nowhere'",
    });
    await using wire = await Wire.openToToken(good, { database: Buffer.from('nowhere') });
    wire.write(`${await sign(good)}\0`);
    expect(await wire.rest()).toEqual(
      encodePacket(5, encodeError({ code: 1049, sqlState: '42000', message: "Unknown database 'nowhere'" })),
    );
    expect(emulator.stats).toMatchObject({ accepted: 0, refused: { upstream: 1 } });
  });

  test('too many connections, in place of the greeting', async () => {
    await using emulator = await start(server);
    const taken: mysql.Connection[] = [];
    const direct = { host: server.hostname, port: server.port, user: 'nobody_asks' };
    let error: Error | undefined;
    while (!error) {
      await mysql.createConnection(direct).then(
        (connection) => taken.push(connection),
        (refused: Error) => {
          error = refused;
        },
      );
    }
    expect(error).toMatchObject({ errno: 1040 });
    expect(await failure(ask(emulator))).toMatchObject({ errno: 1040, message: error.message });
    expect(emulator.stats.refused.upstream).toBe(1);
    await Promise.all(taken.map((connection) => connection.end()));
  });

  test('out of reach', async () => {
    await using emulator = await start({ hostname: '127.0.0.1', port: 9 });
    const error = await failure(ask(emulator));
    expect(error).toMatchObject({ errno: 1053, sqlState: '08S01' });
    expect(error.message).toBe(
      'Server shutdown in progress (rds-iam emulator: no connection to the upstream 127.0.0.1:9: connect ECONNREFUSED 127.0.0.1:9)',
    );
    expect(emulator.stats).toMatchObject({ accepted: 0, refused: { upstream: 1 } });
  });

  test('without the configured TLS, or with a certificate from another CA', async () => {
    await using plain = await startMariadb();
    const root = await plain.connectAsSuperuser();
    await root.query("create user app@'%'");
    await root.end();
    await using noTls = await start(plain, { upstream: { tls: {} } });
    expect((await failure(ask(noTls, { database: '' }))).message).toContain('does not offer TLS');
    await using otherCa = await start(server, { upstream: { tls: { ca: noTls.ca } } });
    expect((await failure(ask(otherCa))).message).toContain(
      'Server shutdown in progress (rds-iam emulator: no connection',
    );
    expect(otherCa.stats.refused.upstream).toBe(1);
  });

  test.each([
    ['hangs up', undefined, 'closed the connection'],
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'does not speak the protocol of MySQL'],
    ['speaks an older protocol', encodePacket(0, Buffer.from([9, 0])), 'does not speak the protocol of MySQL'],
    ['says nothing', Buffer.alloc(4), 'does not speak the protocol of MySQL'],
    ['stops in the middle', encodePacket(0, Buffer.from('\n8.0.0\0abc')), 'does not speak the protocol of MySQL'],
  ])('that %s', async (_what, bytes, message) => {
    const fake = createServer((socket) => {
      socket.on('error', () => {});
      if (bytes) socket.write(bytes);
      else socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    await using emulator = await start({ hostname: '127.0.0.1', port: (fake.address() as AddressInfo).port });
    expect((await failure(ask(emulator))).message).toContain(message);
    expect(emulator.stats.refused.upstream).toBe(1);
    fake.close();
  });

  test('a password function that throws', async () => {
    const password = () => {
      throw new RangeError('no such secret: hunter2');
    };
    await using emulator = await start(server, { upstream: { password } });
    expect(await failure(ask(emulator))).toMatchObject({
      errno: 1105,
      sqlState: 'HY000',
      message: 'rds-iam emulator: RangeError while logging in',
    });
  });

  test('does not block us for handshakes that were not finished, as refused clients make no others', async () => {
    // A server counts them by address, and not for loopback.
    const address = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    if (address === undefined) return;
    const settings = { bind_address: address, skip_name_resolve: 'OFF', max_connect_errors: '2' };
    await using strict = await startMariadb({ settings });
    const root = await strict.connectAsSuperuser();
    await root.query(`create user app@'%' identified by ?`, [randomBytes(16).toString('hex')]);
    await root.end();
    await using emulator = await start({ hostname: address, port: strict.port });
    for (let i = 0; i < 6; i += 1) {
      expect(await failure(ask(emulator, { password: 'x' }))).toMatchObject({ errno: 1045 });
      const wire = await Wire.open(emulator);
      wire.raw.resetAndDestroy();
    }
    await until(() => emulator.stats.open === 0);
    await using wire = await Wire.open(emulator);
    expect(wire.greeting?.plugin).toBeDefined();
  });
});

const GREETING: Greeting = {
  serverVersion: '8.0.99',
  connectionId: 7,
  scramble: Buffer.from('saltsaltsaltsaltsalt'),
  capabilities: 0xdffff7ff, // 8.0's, without TLS
  mariadbCapabilities: 0,
  characterSet: 45,
  status: 2,
  plugin: 'mysql_native_password',
};

/**
 * What MySQL 8 does at a login with caching_sha2_password, from its documentation: no MySQL can be had from Debian.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
 */
async function mysql8(password: string, cached: boolean, plugin = 'caching_sha2_password') {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const sha = (...parts: Array<Buffer | string>) =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  const xor = (a: Buffer, b: Buffer) => Buffer.from(a.map((byte, index) => byte ^ (b[index % b.length] ?? 0)));
  const seen = { username: '', fast: false, full: false };
  const sockets: Socket[] = [];
  const serve = async (socket: Socket) => {
    const channel = new Channel({ stream: socket, reader: new ByteReader(socket) });
    const scramble = Buffer.from(randomBytes(20).map((byte) => (byte % 126) + 1));
    const greeting = { ...GREETING, scramble, plugin };
    channel.write(encodeGreeting(greeting));
    const response = decodeHandshakeResponse(await channel.read(65_536), greeting);
    const { username, authentication: proof } = response;
    seen.username = username;
    expect(response.plugin).toBe('caching_sha2_password');
    const stored = sha(sha(password));
    seen.fast = password === '' ? proof.length === 0 : sha(xor(proof, sha(stored, scramble))).equals(stored);
    if (!seen.fast) return channel.write(encodeError({ code: 1045, sqlState: '28000', message: 'Access denied' }));
    if (password !== '') {
      channel.write(Buffer.from([1, cached ? 3 : 4]));
      if (!cached) {
        expect(await channel.read(65_536)).toEqual(Buffer.from([2]));
        const pem = publicKey.export({ type: 'spki', format: 'pem' });
        channel.write(Buffer.concat([Buffer.from([1]), Buffer.from(pem)]));
        const padding = constants.RSA_PKCS1_OAEP_PADDING;
        const clear = xor(privateDecrypt({ key: privateKey, padding }, await channel.read(65_536)), scramble);
        seen.full = clear.equals(nulTerminated(password));
        if (!seen.full) return channel.write(encodeError({ code: 1045, sqlState: '28000', message: 'Access denied' }));
      }
    }
    channel.write(Buffer.from([0, 0, 0, 2, 0, 0, 0]));
  };
  const fake = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    serve(socket).catch(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(fake, 'listening');
  return {
    seen,
    hostname: '127.0.0.1',
    port: (fake.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      fake.close();
      await once(fake, 'close');
    },
  };
}

describe('caching_sha2_password, against a peer implemented from the documentation', () => {
  test.each([
    ['fast', PASSWORD, true],
    ['in full, with the public key', PASSWORD, false],
    ['with an empty password', '', false],
  ] as const)('%s', async (_what, password, cached) => {
    await using peer = await mysql8(password, cached);
    await using emulator = await start(peer, { upstream: { password } });
    const connection = await client(emulator);
    connection.destroy();
    expect(peer.seen).toMatchObject({ username: 'app', fast: true, full: password !== '' && !cached });
    expect(emulator.stats.accepted).toBe(1);
  });

  test('a wrong password', async () => {
    await using peer = await mysql8(PASSWORD, true);
    await using emulator = await start(peer, { upstream: { password: 'guess' } });
    expect(await failure(client(emulator))).toMatchObject({ errno: 1045, message: 'Access denied' });
  });

  test.each([true, false])('a user without IAM, who sends the password over TLS; cached: %j', async (cached) => {
    await using peer = await mysql8(PASSWORD, cached);
    await using emulator = await start(peer, { iamUsers: ['app'] });
    const connection = await client(emulator, { user: 'other', password: PASSWORD });
    connection.destroy();
    expect(peer.seen).toMatchObject({ username: 'other', fast: true, full: !cached });
    expect(emulator.stats).toMatchObject({ accepted: 0, relayed: 1 });
    if (cached) return;
    // A token is too long for the upstream's key, and a wrong password anyway.
    const error = await failure(client(emulator, { user: 'other', password: await sign(emulator) }));
    expect(error).toMatchObject({ errno: 1045 });
  });

  test('an unsupported kind of authentication', async () => {
    const fake = createServer((socket) => {
      const channel = new Channel({ stream: socket.on('error', () => {}), reader: new ByteReader(socket) });
      channel.write(encodeGreeting(GREETING));
      void channel.read(65_536).then(() => channel.write(Buffer.from('\xfeauth_gssapi_client\0x', 'latin1')));
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    await using emulator = await start({ hostname: '127.0.0.1', port: (fake.address() as AddressInfo).port });
    expect(await failure(client(emulator))).toMatchObject({
      errno: 1251,
      message:
        'rds-iam emulator: the upstream asks for a kind of authentication (auth_gssapi_client) that is not supported',
    });
    fake.close();
  });
});

describe('users without IAM', () => {
  test('log in with their own password, and with nothing else', async () => {
    await using emulator = await start(server, { iamUsers: ['app'] });
    expect(await ask(emulator, { user: 'other', password: PASSWORD }, WHO)).toEqual([{ who: 'other@%' }]);
    for (const password of ['guess', await sign(emulator, { username: 'other' })]) {
      expect(await failure(ask(emulator, { user: 'other', password }))).toMatchObject({ errno: 1045 });
    }
    expect(emulator.stats).toMatchObject({ accepted: 0, relayed: 3, refused: { upstream: 2 } });
  });

  test('who have no password, or do not exist, are refused', async () => {
    await using emulator = await start(server, { iamUsers: ['app'] });
    await using wire = await Wire.openTls(emulator);
    const plugin = wire.greeting?.plugin ?? '';
    wire.respond({ username: 'nobody_asks', authentication: Buffer.alloc(0), database: Buffer.from(''), plugin });
    expect((await wire.rest()).toString()).toContain(
      "Access denied for user 'nobody_asks'@'127.0.0.1' (using password: NO)",
    );
    expect(await failure(ask(emulator, { user: 'missing', password: 'x' }))).toMatchObject({ errno: 1045 });
    expect(emulator.stats).toMatchObject({ accepted: 0, refused: { 'static-password': 1, upstream: 1 } });
  });

  test('are still refused without TLS', async () => {
    await using emulator = await start(server, { iamUsers: ['app'] });
    await using wire = await Wire.open(emulator);
    expect((await wire.respond({ username: 'other' }).rest()).readUInt16LE(5)).toBe(3159);
    await using lax = await start(server, { iamUsers: ['app'], requireSecureTransport: false });
    const plain = await mysql.createConnection({
      host: lax.hostname,
      port: lax.port,
      user: 'other',
      password: PASSWORD,
    });
    expect(await rows(plain, WHO)).toEqual([{ who: 'other@%' }]);
    await plain.end();
  });

  test('a user with IAM has no password', async () => {
    await using emulator = await start(server, { iamUsers: ['app'] });
    expect(await failure(ask(emulator, { password: PASSWORD }))).toMatchObject({ errno: 1045 });
    // MySQL removes quotes from a name, so a name in quotes is the same user.
    expect(await failure(ask(emulator, { user: "'app'", password: PASSWORD }))).toMatchObject({ errno: 1045 });
    expect(emulator.stats.refused.malformed).toBe(2);
  });
});

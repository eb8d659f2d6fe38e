import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { type Stack, startStack } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ProxyOptions } from '../src/index.js';
import {
  ask,
  cancelRequest,
  GSSENC_REQUEST,
  logIn,
  message,
  request,
  SSL_REQUEST,
  startSite,
  startup,
  until,
  Wire,
} from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('postgres');
});
afterAll(() => stack[Symbol.asyncDispose]());

/** A port without a password, so that a login consists of its startup packet. */
const open = { trustLocalUsers: true, password: false } as const;

async function loggedInWire(parameters: Readonly<Record<string, string>> = {}, options: Partial<ProxyOptions> = {}) {
  const site = await startSite(stack, { ...open, ...options });
  const wire = await Wire.open(site);
  wire.socket.write(startup({ user: stack.username, database: stack.database, ...parameters }));
  for (;;) {
    const { type } = await wire.message();
    if (type === 'Z') return { ...site, wire };
    expect(type).not.toBe('E');
  }
}

describe('before the login', () => {
  test('requests for encryption are declined without a certificate, each once', async () => {
    const site = await startSite(stack, open);
    const wire = await Wire.open(site);
    wire.socket.write(GSSENC_REQUEST);
    expect((await wire.bytes(1)).toString()).toBe('N');
    wire.socket.write(SSL_REQUEST);
    expect((await wire.bytes(1)).toString()).toBe('N');
    wire.socket.write(startup({ user: stack.username }));
    expect(await wire.message()).toEqual({ type: 'R', body: Buffer.alloc(4) });

    const asksTwice = await Wire.open(site);
    asksTwice.socket.write(SSL_REQUEST);
    await asksTwice.bytes(1);
    asksTwice.socket.write(SSL_REQUEST);
    expect((await asksTwice.message()).body.toString()).toContain('C08P01');
  });

  test('TLS on request and direct TLS, with the user’s own certificate', async () => {
    const authority = await createCertificateAuthority();
    const site = await startSite(stack, { tls: await authority.issue({ hostnames: ['localhost'] }) });
    const { ca } = authority;
    for (const sslnegotiation of ['postgres', 'direct'] as const) {
      const config = { ...site.config, host: 'localhost', ssl: { ca }, sslnegotiation };
      expect(await ask(config)).toEqual([{ name: stack.username }]);
    }
    // TLS is optional on loopback.
    expect(await ask(site.config)).toEqual([{ name: stack.username }]);

    const otherProtocol = connectTls({ host: site.host, port: site.port, ca, servername: 'localhost' });
    onTestFinished(() => void otherProtocol.destroy());
    await once(otherProtocol, 'secureConnect');
    const [answer] = (await once(otherProtocol, 'data')) as [Buffer];
    expect(answer.toString()).toContain('direct TLS without the protocol');
  });

  test('bytes in clear after a request for encryption are refused', async () => {
    const authority = await createCertificateAuthority();
    const site = await startSite(stack, { ...open, tls: await authority.issue({ hostnames: ['localhost'] }) });
    const wire = await Wire.open(site);
    wire.socket.write(Buffer.concat([SSL_REQUEST, startup({ user: stack.username })]));
    expect((await wire.message()).body.toString()).toContain('unencrypted data');
  });

  test.each([
    ['no length', Buffer.from([0, 0, 0, 0])],
    ['a length beyond all', Buffer.from([0x10, 0, 0, 0])],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['version 2', startup({ user: 'app' }, 2 << 16)],
    ['no terminator', request(3 << 16, Buffer.from('user\0app'))],
    ['bytes after the terminator', request(3 << 16, Buffer.from('user\0app\0\0more'))],
    ['no user', startup({ database: 'shop' })],
    ['invalid UTF-8', request(3 << 16, Buffer.from([0x75, 0, 0xff, 0, 0]))],
  ])('%s is refused', async (_, bytes) => {
    const site = await startSite(stack, open);
    const wire = await Wire.open(site);
    wire.socket.write(bytes);
    expect((await wire.message()).body.toString()).toContain('C08P01');
    await wire.rest();
    await until(() => site.proxy.stats.refused.protocol === 1);
  });
});

describe('the session', () => {
  test("has the client's startup parameters, and the target's database if it names none", async () => {
    const site = await startSite(stack);
    const config = { ...site.config, application_name: 'a tool', options: '-c work_mem=1234kB' };
    const sql = "select current_setting('application_name') a, current_setting('work_mem') w, current_database() d";
    expect(await ask(config, sql)).toEqual([{ a: 'a tool', w: '1234kB', d: stack.database }]);

    const { wire } = await loggedInWire();
    wire.socket.write(message('Q', 'select current_database()\0'));
    const answer = await wire.message().then(() => wire.message());
    expect(answer.body.toString()).toContain(stack.database);
  });

  test('passes every byte, pipelined messages and large ones, in both directions', async () => {
    const site = await startSite(stack);
    const client = await logIn(site.config);
    const large = 'x'.repeat(5_000_000);
    const answers = await Promise.all([
      client.query('select $1::text as text', [large]),
      ...Array.from({ length: 50 }, (_, n) => client.query('select $1::int as n', [n])),
    ]);
    expect(answers.map(({ rows }) => rows[0].text?.length ?? rows[0].n)).toEqual([
      large.length,
      ...Array.from({ length: 50 }, (_, n) => n),
    ]);
  });

  test('ends when the client says so, and when either side is lost', async () => {
    const { proxy, wire, events } = await loggedInWire();
    wire.socket.end(message('X', ''));
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
    await until(() => events.some(({ type }) => type === 'logout'));
    expect(proxy.stats).toMatchObject({ connected: 0, admitted: 0, logins: 1 });

    const broken = await loggedInWire();
    broken.wire.socket.resetAndDestroy();
    await until(async () => (await stack.sessions()) === 0);

    const dropped = await loggedInWire();
    stack.emulator.dropConnections();
    await dropped.wire.rest();
    dropped.wire.socket.end();
    await until(() => dropped.proxy.stats.connected === 0);
  });

  test('is over when the server ends it, even if the client does not close its side', async () => {
    const { wire, proxy } = await loggedInWire({}, { authenticationTimeoutMs: 200 });
    stack.emulator.dropConnections();
    await wire.rest();
    await until(() => proxy.stats.connected === 0);
  });

  test('continues in the other direction when a client ends its side', async () => {
    const { wire } = await loggedInWire();
    wire.socket.end(message('Q', "select pg_sleep(0.05), 'the answer'\0"));
    expect((await wire.rest()).toString()).toContain('the answer');
  });

  test('slows down a server whose client does not read', async () => {
    const { wire } = await loggedInWire();
    wire.socket.removeAllListeners('data').pause();
    const before = process.memoryUsage().rss;
    wire.socket.write(message('Q', "select repeat('x', 1000000) from generate_series(1, 300)\0"));
    const admin = new pg.Client({
      ...stack.upstream,
      host: stack.upstream.hostname,
      user: 'postgres',
      database: 'postgres',
    });
    await admin.connect();
    onTestFinished(() => admin.end());
    // The server is waiting to write.
    await until(async () => {
      const { rows } = await admin.query('select wait_event from pg_stat_activity where usename = $1', [
        stack.username,
      ]);
      return rows[0]?.wait_event === 'ClientWrite';
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    let bytes = 0;
    wire.socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    wire.socket.resume();
    await until(() => bytes > 300_000_000);
  });
});

describe('a cancel request', () => {
  test('reaches the query of the session with its key, over TLS', async () => {
    const site = await startSite(stack);
    const client = await logIn(site.config);
    const canceled = client.query('select pg_sleep(60)').then(
      () => undefined,
      (error) => error,
    );
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    await until(async () => {
      const key = Buffer.alloc(8);
      key.writeInt32BE(processID, 0);
      key.writeInt32BE(secretKey, 4);
      const wire = await Wire.open(site);
      wire.socket.write(cancelRequest(key));
      expect(await wire.rest()).toEqual(Buffer.alloc(0));
      return Promise.race([
        canceled.then(() => true),
        new Promise<false>((resolve) => setImmediate(() => resolve(false))),
      ]);
    });
    expect(await canceled).toMatchObject({ code: '57014' });
    expect(stack.emulator.stats.cancelRequests).toBeGreaterThan(0);
  });

  test('with another key has no effect', async () => {
    const site = await startSite(stack);
    const before = stack.emulator.stats.connections;
    const wire = await Wire.open(site);
    wire.socket.write(cancelRequest(Buffer.from('01234567')));
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
    expect(stack.emulator.stats.connections).toBe(before);
  });
});

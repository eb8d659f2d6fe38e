import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type PostgresServer, startPostgres } from '@rds-iam/test-servers';
import { encodeAuthentication, encodeMessage } from '@rds-iam/wire/postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createCertificateAuthority } from '../src/index.js';
import { ask, failure, sign, start } from './harness.js';

const PASSWORD = 'pässwörd with  spaces';
const NORMALIZED = 'pa\u0308ss\u00a0½\u00adword';
let server: PostgresServer;
let tlsCa = '';

beforeAll(async () => {
  const authority = await createCertificateAuthority();
  tlsCa = authority.ca;
  server = await startPostgres({
    tls: await authority.issue({ hostnames: ['localhost', '127.0.0.1'] }),
    settings: { max_connections: '20', superuser_reserved_connections: '1', reserved_connections: '0' },
    hba: [
      'local all all trust',
      'host all trusted 127.0.0.1/32 trust',
      'host all clear 127.0.0.1/32 password',
      'host all md5ed 127.0.0.1/32 md5',
      'host all scram,normalized 127.0.0.1/32 scram-sha-256',
      'hostssl all overtls 127.0.0.1/32 scram-sha-256',
      'host all ident 127.0.0.1/32 ident',
      'host all locked 127.0.0.1/32 reject',
      'host all missing 127.0.0.1/32 scram-sha-256',
    ],
  });
  const superuser = await server.connectAsSuperuser();
  for (const name of ['trusted', 'clear', 'scram', 'overtls', 'ident', 'locked']) {
    await superuser.query(`create role ${name} login password '${PASSWORD}'`);
  }
  await superuser.query(`create role normalized login password '${NORMALIZED}'`);
  await superuser.query(`set password_encryption = 'md5'; create role md5ed login password '${PASSWORD}'`);
  await superuser.end();
});
afterAll(() => server.close());

const upstream = (more: object = {}) => ({ hostname: '127.0.0.1', port: server.port, password: PASSWORD, ...more });
const WHO = 'select current_user::text as who';

describe('after a good token the emulator logs in', () => {
  test.each(['trusted', 'clear', 'md5ed', 'scram'])('as %s', async (user) => {
    await using emulator = await start({ upstream: upstream() });
    expect(await ask(emulator, { user }, WHO)).toEqual([{ who: user }]);
    expect(emulator.stats.accepted).toBe(1);
  });

  test('over the Unix socket', async () => {
    const superuser = await server.connectAsSuperuser();
    const { rows } = await superuser.query('show unix_socket_directories');
    await superuser.end();
    const hostname = rows[0].unix_socket_directories;
    await using emulator = await start({ upstream: { hostname, port: server.port } });
    const sockets = 'select client_addr from pg_stat_activity where pid = pg_backend_pid()';
    expect(await ask(emulator, { user: 'scram' }, sockets)).toEqual([{ client_addr: null }]);
  });

  test('over TLS', async () => {
    await using emulator = await start({ upstream: upstream({ tls: { ca: tlsCa } }) });
    expect(
      await ask(emulator, { user: 'overtls' }, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'),
    ).toEqual([{ ssl: true }]);
  });

  test('with a password by user, normalized as PostgreSQL does', async () => {
    const password = (username: string) => ({ scram: PASSWORD, normalized: NORMALIZED })[username];
    await using emulator = await start({ upstream: upstream({ password }) });
    expect(await ask(emulator, { user: 'scram' }, WHO)).toEqual([{ who: 'scram' }]);
    expect(await ask(emulator, { user: 'normalized' }, WHO)).toEqual([{ who: 'normalized' }]);
    const error = await failure(ask(emulator, { user: 'clear' }));
    expect(error).toMatchObject({ code: '08004' });
    expect(error.message).toBe(
      'rds-iam emulator: the upstream asks for the password of "clear", set "upstream.password"',
    );
  });

  test('the startup parameters arrive', async () => {
    await using emulator = await start({ upstream: upstream() });
    const options = { user: 'scram', application_name: 'naïve 名', options: '-c work_mem=123MB' };
    expect(
      await ask(
        emulator,
        options,
        `select current_setting('application_name') as name, current_setting('work_mem') as mem`,
      ),
    ).toEqual([{ name: expect.any(String), mem: '123MB' }]);
  });
});

describe('an upstream that refuses or fails', () => {
  test('its own errors come through', async () => {
    await using emulator = await start({ upstream: upstream({ password: 'wrong' }) });
    expect(await failure(ask(emulator, { user: 'trusted', database: 'nowhere' }))).toMatchObject({
      code: '3D000',
      message: 'database "nowhere" does not exist',
    });
    for (const user of ['clear', 'md5ed', 'scram']) {
      expect(await failure(ask(emulator, { user }))).toMatchObject({
        code: '28P01',
        message: `password authentication failed for user "${user}"`,
      });
    }
    expect((await failure(ask(emulator, { user: 'locked' }))).code).toBe('28000');
    expect(emulator.stats.refused.upstream).toBe(4);
  });

  test('too many connections', async () => {
    await using emulator = await start({ upstream: upstream() });
    const taken: pg.Client[] = [];
    try {
      for (;;) {
        const connection = new pg.Client({
          host: '127.0.0.1',
          port: server.port,
          user: 'trusted',
          database: 'postgres',
        });
        connection.on('error', () => {});
        await connection.connect();
        taken.push(connection);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: '53300' });
    }
    try {
      const direct = await failure(
        new pg.Client({ host: '127.0.0.1', port: server.port, user: 'trusted', database: 'postgres' }).connect(),
      );
      expect(await failure(ask(emulator, { user: 'trusted' }))).toMatchObject({
        code: '53300',
        message: direct.message,
      });
      await using strict = await start({ upstream: upstream(), iamUsers: [] });
      expect((await failure(ask(strict, { user: 'scram', password: PASSWORD }))).code).toBe('53300');
    } finally {
      await Promise.all(taken.map((connection) => connection.end()));
    }
  });

  test('out of reach', async () => {
    await using emulator = await start({ upstream: { hostname: '127.0.0.1', port: 9 } });
    expect(await failure(ask(emulator))).toMatchObject({
      code: '57P03',
      message: 'the database system is starting up',
      detail: expect.stringContaining('127.0.0.1:9: connect ECONNREFUSED'),
    });
    expect(emulator.stats.refused.upstream).toBe(1);
    expect(emulator.stats.accepted).toBe(0);
  });

  test('without the configured TLS, or with a certificate from another CA', async () => {
    await using noTls = await start({ upstream: { ...inject('postgres'), tls: {} } });
    expect(await failure(ask(noTls))).toMatchObject({
      code: '57P03',
      detail: expect.stringContaining('does not offer TLS'),
    });
    await using otherCa = await start({ upstream: upstream({ tls: { ca: noTls.ca } }) });
    expect(await failure(ask(otherCa, { user: 'overtls' }))).toMatchObject({ code: '57P03' });
  });

  test.each([
    ['hangs up', undefined, 'closed the connection'],
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'does not speak the PostgreSQL protocol'],
    ['asks for Kerberos', encodeAuthentication(2), 'kind of authentication (2)'],
    [
      'offers another SASL mechanism',
      encodeAuthentication(10, Buffer.from('SCRAM-SHA-1\0\0')),
      'does not offer SCRAM-SHA-256',
    ],
    [
      'answers SCRAM with nonsense',
      Buffer.concat([
        encodeAuthentication(10, Buffer.from('SCRAM-SHA-256\0\0')),
        encodeAuthentication(11, Buffer.from('r=x,s=eA==,i=1')),
      ]),
      'does not prove',
    ],
  ])('that %s', async (_what, bytes, message) => {
    const fake = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => (bytes ? socket.write(bytes) : socket.destroy()));
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    await using emulator = await start({
      upstream: { hostname: '127.0.0.1', port: (fake.address() as AddressInfo).port, password: 'x' },
    });
    const error = (await failure(ask(emulator))) as Error & { detail?: string };
    expect(`${error.message} ${error.detail}`).toContain(message);
    expect(emulator.stats.refused.upstream).toBe(1);
    fake.close();
  });

  test('that claims to know the password, but does not', async () => {
    // Accepts every proof, and signs its last message with the wrong key.
    const fake = createServer((socket) => {
      let step = 0;
      socket
        .on('error', () => {})
        .on('data', (bytes: Buffer) => {
          step += 1;
          if (step === 1) socket.write(encodeAuthentication(10, Buffer.from('SCRAM-SHA-256\0\0')));
          if (step === 2) {
            const nonce = /r=(.*)$/.exec(bytes.toString())?.[1];
            socket.write(encodeAuthentication(11, Buffer.from(`r=${nonce}more,s=c2FsdA==,i=4096`)));
          }
          if (step === 3) {
            const final = encodeAuthentication(12, Buffer.from(`v=${Buffer.alloc(32).toString('base64')}`));
            socket.write(Buffer.concat([final, encodeAuthentication(0), encodeMessage('Z', Buffer.from('I'))]));
          }
        });
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    await using emulator = await start({
      upstream: { hostname: '127.0.0.1', port: (fake.address() as AddressInfo).port, password: 'x' },
    });
    expect((await failure(ask(emulator))).message).toContain('does not prove that it knows the password');
    expect(emulator.stats.accepted).toBe(0);
    fake.close();
  });

  test('a password function that throws', async () => {
    const password = () => {
      throw new RangeError('no such secret: hunter2');
    };
    await using emulator = await start({ upstream: upstream({ password }) });
    const error = await failure(ask(emulator, { user: 'scram' }));
    expect(error).toMatchObject({ code: 'XX000', message: 'rds-iam emulator: RangeError while logging in' });
  });
});

describe('users without rds_iam', () => {
  test.each(['clear', 'md5ed', 'scram'])('%s logs in with its own password, and with nothing else', async (user) => {
    await using emulator = await start({ upstream: upstream(), iamUsers: ['app'] });
    expect(await ask(emulator, { user, password: PASSWORD }, WHO)).toEqual([{ who: user }]);
    const wrong = { code: '28P01', message: `password authentication failed for user "${user}"` };
    expect(await failure(ask(emulator, { user, password: 'guess' }))).toMatchObject(wrong);
    expect(await failure(ask(emulator, { user, password: await sign(emulator, { username: user }) }))).toMatchObject(
      wrong,
    );
    expect(emulator.stats).toMatchObject({ accepted: 0, relayed: 3 });
  });

  test.each(['trusted', 'ident', 'locked', 'missing'])(
    '%s, whom the upstream asks for no password, or who is not there',
    async (user) => {
      await using emulator = await start({ upstream: upstream(), iamUsers: ['app'] });
      for (const password of [PASSWORD, 'guess', await sign(emulator, { username: user })]) {
        expect(await failure(ask(emulator, { user, password }))).toMatchObject({
          severity: 'FATAL',
          code: '28P01',
          message: `password authentication failed for user "${user}"`,
          routine: 'auth_failed',
        });
      }
      expect(emulator.stats.accepted).toBe(0);
    },
  );

  test('are still refused without TLS', async () => {
    await using emulator = await start({ upstream: upstream(), iamUsers: ['app'] });
    const error = await failure(ask(emulator, { user: 'scram', password: PASSWORD, ssl: false }));
    expect(error.message).toContain('no encryption');
  });

  test('a user with rds_iam has no password', async () => {
    await using emulator = await start({ upstream: upstream(), iamUsers: ['scram'] });
    expect((await failure(ask(emulator, { user: 'scram', password: PASSWORD }))).message).toBe(
      'PAM authentication failed for user "scram"',
    );
    expect(await ask(emulator, { user: 'scram' }, WHO)).toEqual([{ who: 'scram' }]);
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MariadbServer } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Emulator } from '../../src/index.js';
import { failure, KEY, until } from '../harness.js';
import { ask, client, connector, errorPacket, login, rows, sign, start, startServer, Wire } from './harness.js';

let server: MariadbServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** The command-line client of MySQL or MariaDB, whichever is installed, with the options to verify the server. */
async function program(emulator: Emulator, user: string, password: string, args: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-client-'));
  try {
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, emulator.ca);
    const verify = server.flavour === 'mariadb' ? ['--ssl-verify-server-cert'] : ['--ssl-mode=VERIFY_IDENTITY'];
    const { stdout } = await promisify(execFile)(
      server.flavour === 'mariadb' ? 'mariadb' : 'mysql',
      [
        '--no-defaults',
        '--protocol=tcp',
        `--host=${emulator.hostname}`,
        `--port=${emulator.port}`,
        `--user=${user}`,
        `--ssl-ca=${ca}`,
        ...verify,
        ...args,
      ],
      { env: { ...process.env, MYSQL_PWD: password, LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN: '1' } },
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a good token', () => {
  test('logs mysql2 in over verified TLS', async () => {
    await using emulator = await start(server);
    expect(await ask(emulator, {}, 'select current_user() as who, database() as db')).toEqual([
      { who: 'app@%', db: 'shop' },
    ]);
    expect(emulator.stats).toMatchObject({ connections: 1, accepted: 1, distinctTokens: 1 });
    await until(() => emulator.stats.open === 0);
  });

  test('logs the mariadb connector in', async () => {
    await using emulator = await start(server);
    const connection = await connector(emulator);
    expect(await connection.query('select current_user() as who')).toEqual([{ who: 'app@%' }]);
    await connection.end();
    expect(emulator.stats.accepted).toBe(1);
  });

  test('logs the client program in, which verifies the certificate', async () => {
    await using emulator = await start(server);
    const sql = ['--skip-column-names', '--database=shop', '--execute=select current_user(), database()'];
    expect(await program(emulator, 'app', await sign(emulator), sql)).toBe('app@%\tshop\n');
    // It may also send the token with its first packet.
    const atOnce = ['--default-auth=mysql_clear_password', ...sql];
    expect(await program(emulator, 'app', await sign(emulator), atOnce)).toBe('app@%\tshop\n');
    await expect(program(emulator, 'app', 'x', sql)).rejects.toThrow(
      "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)",
    );
    await using other = await start(server, { faults: { tls: 'wrong-name' } });
    await expect(program(other, 'app', await sign(other), sql)).rejects.toThrow(/certificate|TLS|SSL/i);
    expect(other.stats.accepted).toBe(0);
  });

  test('is good for many connections, in parallel and in sequence', async () => {
    await using emulator = await start(server);
    const password = await sign(emulator);
    await Promise.all(Array.from({ length: 50 }, () => ask(emulator, { password })));
    await ask(emulator, { password });
    expect(emulator.stats).toMatchObject({ accepted: 51, distinctTokens: 1 });
  });

  test('with a session token of 4 kB', async () => {
    const session = { ...KEY, sessionToken: `IQoJ${'x'.repeat(4000)}==` };
    await using emulator = await start(server, { accessKeys: [session] });
    expect(await ask(emulator, { password: await sign(emulator, { credentials: session }) })).toHaveLength(1);
    expect(await failure(ask(emulator, { password: await sign(emulator) }))).toMatchObject({ errno: 1045 });
    expect(emulator.stats.refused['session-token']).toBe(1);
  });

  test('the session goes on when the token has expired', async () => {
    let time = Date.now();
    await using emulator = await start(server, { now: () => time });
    const connection = await client(emulator);
    time += 3_600_000;
    expect(await rows(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(await failure(ask(emulator))).toMatchObject({ errno: 1045 });
    expect(emulator.stats.refused.expired).toBe(1);
    await connection.end();
  });

  test('as another user of the upstream', async () => {
    await using emulator = await start(server, { upstream: { username: 'other' }, iamUsers: ['app'] });
    expect(await ask(emulator, {}, 'select current_user() as who')).toEqual([{ who: 'other@%' }]);
    expect(await failure(ask(emulator, { password: await sign(emulator, { username: 'other' }) }))).toMatchObject({
      errno: 1045,
    });
    expect(emulator.stats.refused['wrong-user']).toBe(1);
  });
});

describe('a refusal', () => {
  const cases: ReadonlyArray<
    [reason: string, token: (e: { hostname: string; port: number }) => Promise<string> | string]
  > = [
    ['malformed', () => 'password'],
    ['malformed', () => 'a\0b'],
    ['malformed', () => 'x'.repeat(100_000)],
    ['wrong-user', (e) => sign(e, { username: 'other' })],
    ['wrong-host', (e) => sign({ ...e, hostname: 'cname.example.com' })],
    ['wrong-port', (e) => sign({ ...e, port: 3306 })],
    ['wrong-region', (e) => sign(e, { region: 'us-east-1' })],
    ['unknown-access-key', (e) => sign(e, { credentials: { ...KEY, accessKeyId: 'AKIDOTHER' } })],
    ['bad-signature', (e) => sign(e, { credentials: { ...KEY, secretAccessKey: 'guess' } })],
    ['session-token', (e) => sign(e, { credentials: { ...KEY, sessionToken: 'x' } })],
    ['not-authorized', (e) => sign(e, { credentials: { accessKeyId: 'AKIDREAD', secretAccessKey: 'read' } })],
  ];

  test.each(cases)('%s: the same for every reason, byte for byte', async (reason, token) => {
    const reader = { accessKeyId: 'AKIDREAD', secretAccessKey: 'read', usernames: ['reader'] };
    await using emulator = await start(server, { accessKeys: [KEY, reader] });
    await using wire = await Wire.openTls(emulator);
    expect(await wire.respond().read()).toEqual(Buffer.from('\xfemysql_clear_password\0', 'latin1'));
    wire.write(`${await token(emulator)}\0`);
    expect(await wire.rest()).toEqual(
      errorPacket(5, 1045, '28000', "Access denied for user 'app'@'127.0.0.1' (using password: YES)"),
    );
    expect(Object.entries(emulator.stats.refused).filter(([, count]) => count > 0)).toEqual([[reason, 1]]);
    expect(emulator.stats).toMatchObject({ accepted: 0, distinctTokens: 0 });
  });

  test.each(['', '\0'])('of an empty password, %j', async (password) => {
    await using emulator = await start(server);
    await using wire = await Wire.openToToken(emulator);
    wire.write(password);
    expect(await wire.rest()).toEqual(
      errorPacket(5, 1045, '28000', "Access denied for user 'app'@'127.0.0.1' (using password: NO)"),
    );
    expect(emulator.stats.refused.malformed).toBe(1);
  });

  test.each([
    ['expired', 901_000],
    ['not-yet-valid', -301_000],
  ] as const)('%s, by the server’s clock', async (reason, clockOffsetMs) => {
    await using emulator = await start(server, { faults: { clockOffsetMs } });
    expect(await failure(ask(emulator))).toMatchObject({
      code: 'ER_ACCESS_DENIED_ERROR',
      errno: 1045,
      sqlState: '28000',
      message: "Access denied for user 'app'@'127.0.0.1' (using password: YES)",
    });
    expect(emulator.stats.refused[reason]).toBe(1);
  });

  test('without TLS if it is required, before any password is requested', async () => {
    await using emulator = await start(server);
    await using wire = await Wire.open(emulator);
    wire.respond();
    expect(await wire.rest()).toEqual(
      errorPacket(
        2,
        3159,
        'HY000',
        'Connections using insecure transport are prohibited while --require_secure_transport=ON.',
      ),
    );
    const { ssl: _, ...plain } = await login(emulator);
    expect(await failure(ask(emulator, { ...plain, ssl: undefined as never }))).toMatchObject({ errno: 3159 });
    expect(emulator.stats.refused.plaintext).toBe(2);
  });

  test('without TLS if it is not required: as for an account with REQUIRE SSL, after the token', async () => {
    await using emulator = await start(server, { requireSecureTransport: false });
    await using wire = await Wire.open(emulator);
    await wire.respond().read();
    wire.write(`${await sign(emulator)}\0`);
    expect(await wire.rest()).toEqual(
      errorPacket(4, 1045, '28000', "Access denied for user 'app'@'127.0.0.1' (using password: YES)"),
    );
    expect(emulator.stats).toMatchObject({ accepted: 0, refused: { plaintext: 1 } });
  });

  test('does not affect other clients', async () => {
    await using emulator = await start(server);
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => (index % 2 ? ask(emulator) : failure(ask(emulator, { password: 'x' })))),
    );
    expect(emulator.stats).toMatchObject({ accepted: 20 });
    expect(emulator.stats.refused.malformed).toBe(20);
  });
});

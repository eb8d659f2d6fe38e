import { type Stack, startRecordingPostgres, startStack } from '@rds-iam/conformance';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type PoolConfig, withRdsIam } from '../src/index.js';

describe('plain pg with the configuration of withRdsIam', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack('postgres');
  });
  afterEach(async () => {
    stack.emulator.setFaults({});
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const configOf = (more: object = {}): pg.PoolConfig => {
    const { emulator, username: user, database, iam } = stack;
    return withRdsIam({ host: 'localhost', port: emulator.port, user, database, iam, ...more } as PoolConfig);
  };
  const login = async (config: pg.ClientConfig) => {
    const client = new pg.Client(config);
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query('select current_user as name')).rows[0].name;
    } finally {
      await client.end();
    }
  };

  test('a Client and a Pool log in, also with a copy of the configuration', async () => {
    expect(await login(configOf())).toBe(stack.username);
    expect(await login({ ...configOf(), keepAlive: true, application_name: 'copy' })).toBe(stack.username);
    const pool = new pg.Pool(configOf({ max: 3, connectionTimeoutMillis: 10_000 }));
    const names = await Promise.all(Array.from({ length: 9 }, () => pool.query('select current_user as name')));
    expect(names.map(({ rows }) => rows[0].name)).toEqual(Array.from({ length: 9 }, () => stack.username));
    await pool.end();
  });

  test('a URL', async () => {
    const { emulator, username, database, iam } = stack;
    const connectionString = `postgres://${username}@localhost:${emulator.port}/${database}?sslmode=verify-full`;
    expect(await login(withRdsIam({ connectionString, iam }))).toBe(username);
  });

  test('a refused login says why', async () => {
    stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
    await expect(login(configOf())).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_REFUSED',
      attempts: expect.any(Number),
    });
  });

  test('a login that takes longer than pg waits says why', async () => {
    stack.emulator.setFaults({ hang: 'before-tls' });
    const pool = new pg.Pool(configOf({ connectionTimeoutMillis: 2_000 }));
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE' });
    await pool.end();
  });

  test.each<[string, (config: pg.ClientConfig) => pg.ClientConfig, RegExp]>([
    [
      'the host has changed',
      (config) => ({ ...config, host: '127.0.0.1' }),
      /"host" and "port" have become 127\.0\.0\.1:/,
    ],
    ['TLS is put on top', (config) => ({ ...config, ssl: true }), /"ssl" was set after withRdsIam\(\)/],
  ])('if %s, connecting fails with an error that says so, and no token is sent', async (_, change, message) => {
    const { connections, accepted } = stack.emulator.stats;
    await expect(login(change(configOf({ iam: { ...stack.iam, retry: false } })))).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
    expect(stack.emulator.stats.accepted).toBe(accepted);
    expect(stack.emulator.stats.connections - connections).toBeLessThanOrEqual(1);
  });

  test('if the stream is left out, a server that asks for the password gets none', async () => {
    await using server = await startRecordingPostgres('asks for the password before anything else');
    const { stream: _, ...config } = configOf({ port: server.port });
    await expect(login(config)).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_CONFIG',
      message: expect.stringMatching(/"stream" from withRdsIam\(\) did not reach pg/),
    });
    expect(server.received()).not.toContain('X-Amz-');
  });

  test('with IAM off, it returns the configuration unchanged except for "iam"', () => {
    const plain = { host: 'localhost', user: 'app', password: 'hunter2' };
    expect(withRdsIam({ ...plain, iam: { enabled: false } })).toEqual(plain);
  });
});

import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { CREDENTIALS, expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startProxy } from '../src/index.js';
import { ask, failure, message, startSite, startup, until, Wire } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('postgres');
});
afterAll(() => stack[Symbol.asyncDispose]());

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rds-iam-proxy-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('by default', () => {
  test('a port on loopback, with a password that is new at each start', async () => {
    const [one, other] = [await startSite(stack), await startSite(stack)];
    expect(one.host).toBe('127.0.0.1');
    expect(one.proxy.password).toMatch(/^[\w-]{24}$/);
    expect(one.proxy.password).not.toBe(other.proxy.password);
    expect(await ask(one.config)).toEqual([{ name: stack.username }]);
  });

  test.each(['wrong', '', undefined])('the password %j is refused, and the log says so', async (password) => {
    const site = await startSite(stack);
    const before = stack.emulator.stats.connections;
    const error = await failure({ ...site.config, password: password as string });
    if (password) expect(error).toMatchObject({ code: '28P01', message: expect.stringContaining(stack.username) });
    await until(() => site.proxy.stats.connected === 0);
    expect(site.proxy.stats.logins).toBe(0);
    if (password) expect(site.events).toMatchObject([{ type: 'refusal', reason: 'password', client: '127.0.0.1' }]);
    // It did not reach the server.
    expect(stack.emulator.stats.connections).toBe(before);
  });

  test('other users and databases than the target’s are refused by name, once the password is right', async () => {
    const site = await startSite(stack);
    expect(await failure({ ...site.config, user: 'root' })).toMatchObject({
      code: '28000',
      message: `rds-iam proxy: this port is for the user "${stack.username}"`,
      hint: expect.stringContaining('--any-user'),
    });
    expect(await failure({ ...site.config, database: 'other' })).toMatchObject({
      message: `rds-iam proxy: this port is for the database "${stack.database}"`,
    });
    // A client that does not know the password learns nothing about them.
    expect(await failure({ ...site.config, user: 'root', password: 'wrong' })).toMatchObject({ code: '28P01' });
  });
});

test('the password in clear text, for clients too old for SCRAM', async () => {
  const site = await startSite(stack, { passwordMethod: 'password', password: 'a-password' });
  expect(await ask({ ...site.config, password: 'a-password' })).toEqual([{ name: stack.username }]);
  for (const password of ['a-passwore', 'a-passwor', 'a-password2'])
    expect(await failure({ ...site.config, password })).toMatchObject({ code: '28P01' });
});

test('with anyUser a client may name another user and another database', async () => {
  const site = await startSite(stack, { anyUser: true });
  expect(await ask({ ...site.config, user: 'postgres', database: 'template1' })).toEqual([{ name: 'postgres' }]);
});

describe('SCRAM-SHA-256', () => {
  test.each([
    ['another mechanism', message('p', 'PLAIN\0\0\0\0\x05hello'), '08P01'],
    ['an invalid message', message('p', 'SCRAM-SHA-256\0\0\0\0\x05hello'), '08P01'],
    [
      'channel binding that was not offered',
      message('p', 'SCRAM-SHA-256\0\0\0\0\x1ap=tls-server-end-point,,n=,r=a'),
      '08P01',
    ],
    ['a query in place of an answer', message('Q', 'select 1\0'), '08P01'],
    ['an answer that is too long', Buffer.from([0x70, 0x7f, 0xff, 0xff, 0xff]), '08P01'],
  ])('%s is refused', async (_, bytes, code) => {
    const site = await startSite(stack);
    const wire = await Wire.open(site);
    wire.socket.write(startup({ user: stack.username }));
    const offer = await wire.message();
    expect(offer.body.toString('latin1', 4)).toBe('SCRAM-SHA-256\0\0');
    wire.socket.write(bytes);
    expect((await wire.message()).body.toString()).toContain(`C${code}`);
  });

  test.each([
    [
      'a nonce that is not the exchange’s',
      (_nonces: string) => `c=biws,r=other,p=${Buffer.alloc(32).toString('base64')}`,
    ],
    ['another binding', (nonces: string) => `c=eSws,r=${nonces},p=${Buffer.alloc(32).toString('base64')}`],
    ['a proof of nothing', (nonces: string) => `c=biws,r=${nonces},p=${Buffer.alloc(32).toString('base64')}`],
    ['no proof', (nonces: string) => `c=biws,r=${nonces}`],
  ])('%s is a wrong password', async (_, final) => {
    const site = await startSite(stack);
    const wire = await Wire.open(site);
    wire.socket.write(startup({ user: stack.username }));
    await wire.message();
    const first = 'n,,n=,r=clientnonce';
    const length = Buffer.alloc(4);
    length.writeInt32BE(first.length);
    wire.socket.write(message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, Buffer.from(first)])));
    const { body } = await wire.message();
    const [, nonces = ''] = /^r=(clientnonce[^,]+),s=[^,]+,i=4096$/.exec(body.toString('latin1', 4)) ?? [];
    expect(nonces.length).toBeGreaterThan(11);
    wire.socket.write(message('p', final(nonces)));
    expect((await wire.message()).body.toString()).toContain('C28P01');
  });
});

describe('a Unix socket', () => {
  test('in its own folder, which only its owner can access, needs no password', async () => {
    const socketFolder = join(folder(), 'new');
    const site = await startSite(stack, { socketFolder });
    expect(site.proxy.password).toBeUndefined();
    expect(statSync(socketFolder).mode & 0o777).toBe(0o700);
    expect(readdirSync(socketFolder)).toEqual(['.s.PGSQL.5432']);
    expect(await ask(site.config)).toEqual([{ name: stack.username }]);
    await until(() => site.events.length > 0);
    expect(site.events[0]).toMatchObject({ type: 'login', client: 'local' });
    await site.proxy.close();
    expect(readdirSync(socketFolder)).toEqual([]);
  });

  test('may have a password anyway, and its own number', async () => {
    const site = await startSite(stack, { socketFolder: folder(), password: 'secret', port: 6000 });
    expect(site.port).toBe(6000);
    expect(await ask({ ...site.config, password: 'secret' })).toEqual([{ name: stack.username }]);
    expect(await failure({ ...site.config, password: 'other' })).toMatchObject({ code: '28P01' });
  });

  test('in a folder that others can access, or that is a link, is refused', async () => {
    const open = folder();
    chmodSync(open, 0o755);
    await expect(startSite(stack, { socketFolder: open })).rejects.toMatchObject({
      ...{ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringContaining('others may enter it') },
    });
    const link = join(folder(), 'link');
    symlinkSync(folder(), link);
    await expect(startSite(stack, { socketFolder: link })).rejects.toMatchObject({ code: 'ERR_RDS_IAM_CONFIG' });
  });

  test('left behind by a killed proxy is taken over, but not that of a running one', async () => {
    const socketFolder = folder();
    await startSite(stack, { socketFolder });
    await expect(startSite(stack, { socketFolder })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('beyond loopback', () => {
  test.each([
    [{}, '"tls"'],
    [{ password: 'secret' }, '"tls"'],
    [{ password: false, trustLocalUsers: true, tls: { cert: 'a', key: 'b' } }, 'a password'],
  ] as const)('%j is refused by name', async (options, missing) => {
    for (const address of ['0.0.0.0', '::', 'example.com', '10.0.0.1']) {
      await expect(startSite(stack, { address, ...options })).rejects.toMatchObject({
        code: 'ERR_RDS_IAM_CONFIG',
        message: `"address" is ${address}, which others on the network can reach: that takes ${missing}`,
      });
    }
  });

  test('with TLS and a password, only over TLS', async () => {
    const authority = await createCertificateAuthority();
    const site = await startSite(stack, {
      address: '0.0.0.0',
      tls: await authority.issue({ hostnames: ['localhost'] }),
    });
    const config = { ...site.config, host: 'localhost' };
    expect(await failure(config)).toMatchObject({ code: '28000', message: expect.stringContaining('TLS only') });
    expect(await ask({ ...config, ssl: { ca: authority.ca } })).toEqual([{ name: stack.username }]);
  });
});

test.each([
  [{ targets: [] }, '"targets"'],
  [{ port: 70_000 }, '"port"'],
  [{ password: false }, '"trustLocalUsers"'],
  [{ password: '' }, '"password"'],
  [{ password: 'with a space' }, '"password"'],
  [{ passwordMethod: 'md5' }, '"passwordMethod"'],
  [{ maxConnections: 0 }, '"maxConnections"'],
  [{ socketFolder: '/tmp/x', address: '127.0.0.1' }, '"socketFolder"'],
  [{ authenticationTimeoutMs: -1 }, '"authenticationTimeoutMs"'],
  [{ sockets: true }, '"sockets"'],
  [{ targets: [{ engine: 'oracle', hostname: 'a', port: 1, username: 'b' }] }, '"engine"'],
])('%j is refused, by name', async (options, name) => {
  await expect(startProxy({ ...{ targets: targets() }, ...options } as never)).rejects.toMatchObject({
    ...{ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringContaining(name) },
  });
});

const targets = () => [{ engine: 'postgres', hostname: 'localhost', port: 5432, username: 'app' }] as const;

test('no output, event or response contains a secret', async () => {
  const site = await startSite(stack);
  await ask(site.config);
  const refused = await failure({ ...site.config, database: 'other' });
  stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
  onTestFinished(() => stack.emulator.setFaults({}));
  const denied = await failure({ ...site.config, connectionTimeoutMillis: 2_000 });
  const secrets = [CREDENTIALS.secretAccessKey, site.proxy.password ?? ''];
  for (const value of [site.proxy.stats, site.proxy.listeners, ...site.events, refused, denied]) {
    expectNoSecrets(value, secrets);
  }
});

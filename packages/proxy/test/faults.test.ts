import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CREDENTIALS, count, type Engine, type Stack, startStack } from '@rds-iam/conformance';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ask, failure, logIn, type Site, SSL_REQUEST, startSite, startup, until, Wire } from './harness.js';

const ENGINE: Engine = 'postgres';

let stack: Stack;
beforeEach(async () => {
  stack = await startStack(ENGINE);
});
afterEach(() => stack[Symbol.asyncDispose]());

const storm = (site: Site, clients: number) => Promise.all(Array.from({ length: clients }, () => ask(site.config)));
const allAs = (clients: number) => Array.from({ length: clients }, () => [{ name: stack.username }]);
/** A way to a server, that can lead nowhere: it then breaks off what is there, and what comes. */
async function startWay() {
  let port: number | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (port === undefined) return void client.resetAndDestroy();
    const onward = connect(port, '127.0.0.1');
    for (const socket of [client, onward]) sockets.add(socket.on('error', () => {}));
    client.pipe(onward).pipe(client);
    client.once('close', () => onward.destroy());
    onward.once('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    leadTo(next: number | undefined) {
      port = next;
      if (next === undefined) for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Nothing of a client is left, here or at the server. */
async function nothingIsLeft({ proxy }: Site): Promise<void> {
  await until(() => proxy.stats.connected === 0 && proxy.stats.admitted === 0 && stack.emulator.stats.open === 0);
}

describe('the server', () => {
  test('throttles: all clients get in, with one token', async () => {
    const site = await startSite(stack, { iam: { ...stack.iam, retry: { baseDelayMs: 20, maxDelayMs: 200 } } });
    await ask(site.config);
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 4, action: 'deny', counting: 'logins' } });
    expect(await storm(site, 20)).toEqual(allAs(20));
    expect(stack.emulator.stats.refused.throttled).toBeGreaterThan(0);
    expect(site.proxy.stats.logins).toBe(21);
  });

  test('is away for a while: clients that come meanwhile wait, and get in', async () => {
    await using way = await startWay();
    await using behind = await startStack(ENGINE, { tokenPort: way.port });
    way.leadTo(behind.emulator.port);
    const iam = { ...behind.iam, retry: { baseDelayMs: 20, maxDelayMs: 100 } };
    const target = { engine: 'postgres', hostname: 'localhost', port: way.port, username: behind.username } as const;
    const site = await startSite(behind, { targets: [target], iam });
    const open = await logIn(site.config);
    const failed = count('rds-iam:connection:attempt-failed');
    way.leadTo(undefined);
    await expect(open.query('select 1')).rejects.toThrow();
    const coming = storm(site, 8);
    // More than a login that never succeeded would be given.
    await until(() => failed() >= 32);
    way.leadTo(behind.emulator.port);
    expect(await coming).toEqual(Array.from({ length: 8 }, () => [{ name: behind.username }]));
    expect(site.proxy.stats.logins).toBe(9);
  });

  test('hangs: a client that leaves takes its connection to the server along', async () => {
    const site = await startSite(stack);
    for (const hang of ['before-tls', 'before-authentication', 'after-password'] as const) {
      stack.emulator.setFaults({ hang });
      const client = new pg.Client(site.config);
      client.on('error', () => {});
      const connecting = client.connect().catch(() => {});
      await until(() => stack.emulator.stats.open === 1);
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      await connecting;
      await nothingIsLeft(site);
    }
    stack.emulator.setFaults({});
    expect(await ask(site.config)).toEqual([{ name: stack.username }]);
  });

  test('has no TLS, or another certificate: the client hears why, and no token went out', async () => {
    for (const tls of ['off', 'wrong-name', 'other-ca', 'expired'] as const) {
      const site = await startSite(stack);
      stack.emulator.setFaults({ tls });
      expect(await failure(site.config)).toMatchObject({
        code: '08001',
        message: expect.stringContaining('no verified TLS connection to localhost'),
        hint: expect.stringContaining('rds-iam doctor postgresql://'),
      });
    }
    expect(stack.emulator.stats.accepted).toBe(0);
  });

  test('says itself what has nothing to do with IAM', async () => {
    const site = await startSite(stack, { anyUser: true });
    expect(await failure({ ...site.config, database: 'nowhere' })).toMatchObject({
      ...{ code: '3D000', message: 'database "nowhere" does not exist', severity: 'FATAL' },
    });
  });
});

test('credentials go and come back: clients hear why, and get in again', async () => {
  let there = true;
  const credentials = async () => {
    if (!there) throw new Error('the source of credentials is gone');
    return CREDENTIALS;
  };
  const site = await startSite(stack, { iam: { ...stack.iam, credentials, retry: { timeoutMs: 3_000 } } });
  const open = await logIn(site.config);
  there = false;
  // Revoked at AWS, too: what is in memory serves no more.
  stack.emulator.setFaults({ revokedAccessKeys: [CREDENTIALS.accessKeyId] });
  expect(await failure(site.config)).toMatchObject({
    code: '28000',
    message: expect.stringMatching(/^rds-iam proxy: /),
    hint: expect.stringContaining('rds-iam doctor'),
  });
  // Who is in stays in.
  expect((await open.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  there = true;
  stack.emulator.setFaults({});
  expect(await ask(site.config)).toEqual([{ name: stack.username }]);
});

describe('a client', () => {
  test('vanishes in each phase: nothing is left of it', async () => {
    const site = await startSite(stack);
    const begin = startup({ user: stack.username, database: stack.database });
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      for (const said of [[], [SSL_REQUEST], [SSL_REQUEST.subarray(0, 5)], [begin.subarray(0, 20)], [begin]]) {
        const wire = await Wire.open(site);
        for (const bytes of said) wire.socket.write(bytes);
        if (said[0] === begin) await wire.message();
        wire.socket[leave]();
        await nothingIsLeft(site);
      }
      const client = await logIn(site.config);
      const stream = (client as unknown as { connection: { stream: Socket } }).connection.stream;
      if (leave === 'end') stream.end();
      else stream.resetAndDestroy();
      await nothingIsLeft(site);
    }
    expect(site.proxy.stats.logins).toBe(2);
  });

  test('never speaks, or stops: it goes when its time is up', async () => {
    const site = await startSite(stack, { authenticationTimeoutMs: 200 });
    for (const said of [Buffer.alloc(0), SSL_REQUEST, startup({ user: stack.username })]) {
      const wire = await Wire.open(site);
      wire.socket.write(said);
      await wire.rest();
      wire.socket.destroy();
    }
    await nothingIsLeft(site);
    expect(site.proxy.stats.refused.timeout).toBe(3);
  });

  test('a flood of those that do not log in is bounded, and the others go on', async () => {
    const site = await startSite(stack, { maxUnauthenticated: 20 });
    const open = await logIn(site.config);
    const flood = Array.from({ length: 300 }, () => connect(site.port, site.host).on('error', () => {}));
    onTestFinished(() => {
      for (const socket of flood) socket.destroy();
    });
    await Promise.all(flood.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
    await until(() => site.proxy.stats.refused['crowded-out'] >= 280);
    await until(() => site.proxy.stats.connected <= 21);
    expect((await open.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(await storm(site, 5)).toEqual(allAs(5));
    expect(stack.emulator.stats.accepted).toBe(6);
  });
});

/** A login that left its sockets or its client behind would leave more. */
const BYTES_PER_LOGIN = 20_000;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** What this process holds on to, once what is under way has come to its end. */
async function footprint() {
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const sockets = process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|Pipe)/.test(name)).length;
  return { heapBytes: process.memoryUsage().heapUsed, sockets };
}

test('24 hours of logins over token lifetimes: nothing lost, nothing grows', { timeout: 120_000 }, async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
  const signed = count('rds-iam:token:signed');
  const site = await startSite(stack);
  const stays = await logIn(site.config);
  const MINUTES = 10;
  const QUARTER = (6 * 60) / MINUTES;
  const goOn = async (logins: number) => {
    for (let login = 0; login < logins; login++) {
      expect(await ask(site.config)).toEqual([{ name: stack.username }]);
      vi.setSystemTime(Date.now() + MINUTES * 60_000);
    }
    await until(() => site.proxy.stats.connected === 1 && stack.emulator.stats.open === 1);
    return footprint();
  };
  // What is made once, as compiled code, is made in the first quarters.
  const warm = await goOn(2 * QUARTER);
  const later = [await goOn(QUARTER), await goOn(QUARTER)] as const;
  const grown = [later[0].heapBytes - warm.heapBytes, later[1].heapBytes - later[0].heapBytes];
  expect(Math.min(...grown) / QUARTER).toBeLessThan(BYTES_PER_LOGIN);
  expect(later.map(({ sockets }) => sockets)).toEqual([warm.sockets, warm.sockets]);
  expect((await stays.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  const logins = 4 * QUARTER + 1;
  expect(site.proxy.stats).toMatchObject({ connected: 1, admitted: 1, logins });
  expect(Object.values(site.proxy.stats.refused).every((refused) => refused === 0)).toBe(true);
  // One serves for 13 to 15 minutes, which are two logins here.
  expect(signed()).toBeGreaterThanOrEqual(logins * 0.4);
  expect(signed()).toBeLessThanOrEqual(logins * 0.6);
  expect(stack.emulator.stats).toMatchObject({ accepted: logins, open: 1 });
});

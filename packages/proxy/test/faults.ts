import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CREDENTIALS, count, type Stack, startStack } from '@rds-iam/conformance';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Clock } from '../src/clock.js';
import { addressOf, until } from './harness.js';
import type { Subject, SubjectSite } from './subject.js';

/** What goes wrong at the server, with the credentials and at clients, through the proxy. */
export function describeFaults<Config>(subject: Subject<Config>): void {
  const { engine, startSite, logIn, refusal, logins, ownLogins } = subject;
  const [whoAmI] = logins;

  let stack: Stack;
  beforeEach(async () => {
    // It does not hang up on those that it hangs for.
    stack = await startStack(engine, { authenticationTimeoutMs: 600_000 });
  });
  afterEach(() => stack[Symbol.asyncDispose]());

  const storm = (site: SubjectSite<Config>, clients: number) =>
    Promise.all(Array.from({ length: clients }, (_, client) => logins[client % logins.length]?.(site.config)));
  const allAs = (clients: number) => Array.from({ length: clients }, () => stack.username);

  /** Nothing of a client is left: here, on the way, or at the database. */
  async function nothingIsLeft({ proxy }: SubjectSite<Config>): Promise<void> {
    await until(() => proxy.stats.connected === 0 && proxy.stats.admitted === 0 && stack.emulator.stats.open === 0);
    await until(async () => (await stack.sessions()) === 0);
  }

  describe('the server', () => {
    test('throttles: all clients get in', { timeout: 60_000 }, async () => {
      const site = await startSite(stack, { iam: { ...stack.iam, retry: { baseDelayMs: 20, maxDelayMs: 200 } } });
      await whoAmI(site.config);
      stack.emulator.setFaults({ throttle: { connectionsPerSecond: 4, action: 'deny', counting: 'logins' } });
      expect(await storm(site, 20)).toEqual(allAs(20));
      expect(stack.emulator.stats.refused.throttled).toBeGreaterThan(0);
      expect(site.proxy.stats.logins).toBe(21);
    });

    test('is away for a while: clients that come meanwhile wait, and get in', async () => {
      await using way = await startWay();
      await using behind = await startStack(engine, { tokenPort: way.port });
      way.leadTo(behind.emulator.port);
      const iam = { ...behind.iam, retry: { baseDelayMs: 20, maxDelayMs: 100 } };
      const target = { engine, hostname: 'localhost', port: way.port, username: behind.username } as const;
      const site = await startSite(behind, { targets: [target], iam });
      const open = await logIn(site.config);
      const failed = count('rds-iam:connection:attempt-failed');
      way.leadTo(undefined);
      await expect(open.one()).rejects.toThrow();
      const coming = storm(site, 8);
      // More than a login that never succeeded would be given.
      await until(() => failed() >= 32);
      way.leadTo(behind.emulator.port);
      expect(await coming).toEqual(Array.from({ length: 8 }, () => behind.username));
      expect(site.proxy.stats.logins).toBe(9);
    });

    const HANGS = ['before-tls', 'before-authentication', 'after-password'] as const;

    test.each([
      ['has not been to it', false],
      ['has been to it', true],
    ])('hangs, and the proxy %s: a client that leaves takes its connection to the server along', async (_, hasBeen) => {
      const site = await startSite(stack);
      if (hasBeen) await whoAmI(site.config);
      for (const hang of HANGS) {
        stack.emulator.setFaults({ hang });
        const connecting = subject.begin(site.config);
        await until(() => stack.emulator.stats.open === 1);
        connecting.destroy();
        await nothingIsLeft(site);
      }
      stack.emulator.setFaults({});
      expect(await whoAmI(site.config)).toBe(stack.username);
    });

    test('hangs: a client that stays hears why once the time for a login is over', async () => {
      const site = await startSite(stack, { iam: { ...stack.iam, retry: { timeoutMs: 200 } } });
      for (const hang of HANGS) {
        stack.emulator.setFaults({ hang });
        expect((await refusal(site.config)).text).toContain('rds-iam doctor');
        await nothingIsLeft(site);
      }
    });

    test('has no TLS, or another certificate: the client hears why, and no token went out', async () => {
      for (const tls of ['off', 'wrong-name', 'other-ca', 'expired'] as const) {
        const site = await startSite(stack);
        stack.emulator.setFaults({ tls });
        const { sqlState, text } = await refusal(site.config);
        expect(sqlState).toBe(subject.unreachable);
        expect(text).toContain('no verified TLS connection to localhost');
        expect(text).toContain('rds-iam doctor');
      }
      expect(stack.emulator.stats).toMatchObject({ accepted: 0, distinctTokens: 0 });
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
    const { sqlState, text } = await refusal(site.config);
    expect(sqlState).toBe('28000');
    expect(text).toMatch(/^rds-iam proxy: /);
    expect(text).toContain('rds-iam doctor');
    // Who is in stays in.
    expect(await open.one()).toBe(1);
    there = true;
    stack.emulator.setFaults({});
    expect(await whoAmI(site.config)).toBe(stack.username);
  });

  describe('a client', () => {
    test.each(['end', 'resetAndDestroy'] as const)(
      'vanishes in each phase by %s: nothing is left of it',
      async (leave) => {
        const site = await startSite(stack);
        // What MySQL's clients are greeted with is known then.
        await whoAmI(site.config);
        for (const { name, reach } of subject.phases) {
          const socket = await reach(site);
          socket[leave]();
          await nothingIsLeft(site).catch((cause) => {
            throw new Error(`after ${name}`, { cause });
          });
        }
        expect(await whoAmI(site.config)).toBe(stack.username);
      },
    );

    test('never speaks, or stops: it goes when its time is up, and has not been to the server', async () => {
      const clock = new StandingClock();
      const site = await startSite(stack, {}, clock);
      await whoAmI(site.config);
      await nothingIsLeft(site);
      const { connections } = stack.emulator.stats;
      const strangers = subject.phases.filter(({ isKnown }) => !isKnown);
      for (const { reach } of strangers) await reach(site);
      await until(() => site.proxy.stats.connected === strangers.length);
      clock.ring();
      await nothingIsLeft(site);
      expect(site.proxy.stats.refused.timeout).toBe(strangers.length);
      expect(stack.emulator.stats.connections).toBe(connections);
    });

    test('a flood of those that do not log in is bounded, costs the server nothing, and the others go on', async () => {
      const site = await startSite(stack, { maxUnauthenticated: 20 });
      const open = await logIn(site.config);
      const { connections } = stack.emulator.stats;
      const at = addressOf(site.proxy);
      const flood = Array.from({ length: 300 }, () => connect(at).on('error', () => {}));
      onTestFinished(() => {
        for (const socket of flood) socket.destroy();
      });
      await Promise.all(flood.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
      await until(() => site.proxy.stats.refused['crowded-out'] >= 280);
      await until(() => site.proxy.stats.connected <= 21);
      expect(await open.one()).toBe(1);
      expect(stack.emulator.stats.connections).toBe(connections);
      expect(await storm(site, 5)).toEqual(allAs(5));
      expect(stack.emulator.stats.accepted).toBe(6 + ownLogins);
    });
  });

  test('24 hours of logins over token lifetimes: nothing lost, nothing grows', { timeout: 300_000 }, async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const signed = count('rds-iam:token:signed');
    const site = await startSite(stack);
    const stays = await logIn(site.config);
    const MINUTES = 10;
    const QUARTER = (6 * 60) / MINUTES;
    const goOn = async (times: number) => {
      for (let time = 0; time < times; time++) {
        expect(await whoAmI(site.config)).toBe(stack.username);
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
    await until(() => openSockets() <= warm.sockets);
    expect(await stays.one()).toBe(1);
    const all = 4 * QUARTER + 1;
    expect(site.proxy.stats).toMatchObject({ connected: 1, admitted: 1, logins: all });
    expect(Object.values(site.proxy.stats.refused).every((refused) => refused === 0)).toBe(true);
    // One serves for 13 to 15 minutes, which are two logins here.
    expect(signed()).toBeGreaterThanOrEqual(all * 0.4);
    expect(signed()).toBeLessThanOrEqual(all * 0.6);
    expect(stack.emulator.stats).toMatchObject({ accepted: all + ownLogins, open: 1 });
  });
}

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

/** Time that does not pass: what waits for it waits until the clock rings. */
class StandingClock implements Clock {
  readonly #waiting = new Set<() => void>();
  readonly now = Date.now;
  readonly monotonicNow = () => 0;

  after(_delayMs: number, callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  ring(): void {
    for (const callback of this.#waiting) callback();
  }
}

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
  return { heapBytes: process.memoryUsage().heapUsed, sockets: openSockets() };
}

const openSockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|Pipe)/.test(name)).length;

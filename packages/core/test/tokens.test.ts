import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AuthToken, effectiveExpiry, renewalTime, type SignedToken, Tokens, tokenExpiry } from '../src/tokens.js';
import { settle, tokenSignedAt, World } from './world.js';

const MINUTE = 60_000;
const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };

interface Signing {
  readonly forceRefresh: boolean;
  give(options?: { signedAt?: number; credentialsExpiration?: Date; signature?: string }): void;
  fail(error?: Error): void;
}

function setUp(refreshBeforeExpiryMs = 2 * MINUTE) {
  const world = new World();
  const signings: Signing[] = [];
  const sign = (_: unknown, { forceRefresh }: { forceRefresh: boolean }) =>
    new Promise<SignedToken>((resolve, reject) => {
      signings.push({
        forceRefresh,
        give: ({ signedAt = world.time, credentialsExpiration, signature = `s${signings.length}` } = {}) =>
          resolve({
            token: tokenSignedAt(signedAt, 'db:5432', 'app', signature),
            region: 'eu-west-1',
            credentialsExpiration,
          }),
        fail: (error = new Error('no credentials today')) => reject(error),
      });
    });
  const clock = { now: () => world.time, random: () => world.chance };
  const tokens = new Tokens(sign, clock, refreshBeforeExpiryMs);
  /** Asks for a token, with a given outcome of the next signing. */
  const signed = async (options?: Parameters<Signing['give']>[0]): Promise<AuthToken> => {
    const wanted = tokens.get(endpoint);
    signings.at(-1)?.give(options);
    return wanted;
  };
  return { world, signings, tokens, signed };
}

describe('a token', () => {
  test('is served from memory until the refresh window', async () => {
    const { world, signings, tokens, signed } = setUp();
    const first = await signed();
    world.time += 13 * MINUTE - 1;
    expect(await tokens.get(endpoint)).toBe(first);
    expect(signings).toHaveLength(1);
  });

  test('is signed once for ten thousand calls at the same time', async () => {
    const { signings, tokens } = setUp();
    const all = Array.from({ length: 10_000 }, () => tokens.get(endpoint));
    signings[0]?.give();
    expect(new Set(await Promise.all(all)).size).toBe(1);
    expect(signings).toHaveLength(1);
  });

  test('belongs to one host name, port and user', async () => {
    const { signings, tokens } = setUp();
    for (const other of [
      endpoint,
      { ...endpoint, hostname: 'other' },
      { ...endpoint, port: 1 },
      { ...endpoint, username: 'b' },
    ]) {
      void tokens.get(other);
    }
    expect(signings).toHaveLength(4);
  });

  test('is served at once within the refresh window, while one renewal runs in the background', async () => {
    const { world, signings, tokens, signed } = setUp();
    const first = await signed();
    world.time += 13 * MINUTE;
    for (let call = 0; call < 100; call++) expect(tokens.get(endpoint)).toBe(first);
    expect(signings).toHaveLength(2);
    signings[1]?.give();
    await settle();
    const second = await tokens.get(endpoint);
    expect(second).not.toBe(first);
    expect(second.expiration.getTime()).toBe(world.time + 15 * MINUTE);
    expect(world.pendingTimers).toBe(0);
  });

  test('is still served when its renewal fails, which is retried later and not at once', async () => {
    const { world, signings, tokens, signed } = setUp();
    const first = await signed();
    world.time += 13 * MINUTE;
    expect(tokens.get(endpoint)).toBe(first);
    signings[1]?.fail();
    await settle();
    expect(tokens.get(endpoint)).toBe(first);
    expect(signings).toHaveLength(2);
    world.time += 1_000;
    expect(tokens.get(endpoint)).toBe(first);
    expect(signings).toHaveLength(3);
    signings[2]?.fail();
    await settle();
    world.time += 1_000;
    void tokens.get(endpoint);
    expect(signings, 'the second wait is longer').toHaveLength(3);
  });

  test('within a second of its expiry is never handed out', async () => {
    const { world, signings, tokens, signed } = setUp(0);
    const first = await signed();
    world.time = first.expiration.getTime() - 1_001;
    expect(await tokens.get(endpoint)).toBe(first);
    world.time += 1;
    const wanted = tokens.get(endpoint);
    signings[1]?.give();
    expect(await wanted).not.toBe(first);
  });

  test('expires with the credentials that signed it', async () => {
    const { world, signed } = setUp();
    const credentialsExpiration = new Date(world.time + 4 * MINUTE);
    expect((await signed({ credentialsExpiration })).expiration).toEqual(credentialsExpiration);
  });

  test('from credentials that cannot be renewed is not signed again on every call', async () => {
    const { world, signings, tokens, signed } = setUp();
    const credentialsExpiration = new Date(world.time + MINUTE);
    await signed({ credentialsExpiration });
    world.time += 40_000;
    void tokens.get(endpoint);
    signings[1]?.give({ credentialsExpiration });
    await settle();
    for (let call = 0; call < 100; call++) void tokens.get(endpoint);
    expect(signings).toHaveLength(2);
  });

  test('is forgotten when it was refused, but not the one that replaced it', async () => {
    const { signings, tokens, signed } = setUp();
    const first = await signed();
    tokens.drop(endpoint, first.token);
    const second = await signed();
    expect(second).not.toBe(first);
    tokens.drop(endpoint, first.token);
    expect(await tokens.get(endpoint)).toBe(second);
    expect(signings).toHaveLength(2);
  });

  test('that arrives late never replaces a newer one', async () => {
    const { signings, tokens } = setUp();
    const early = tokens.get(endpoint);
    const forced = tokens.get(endpoint, { forceRefresh: true });
    expect(signings.map(({ forceRefresh }) => forceRefresh)).toEqual([false, true]);
    signings[1]?.give({ signature: 'newer' });
    const newer = await forced;
    signings[0]?.give({ signature: 'late' });
    expect((await early).token).toContain('late');
    expect(await tokens.get(endpoint)).toBe(newer);
  });

  test('that is forced is signed once for all who force it at the same time', async () => {
    const { signings, tokens, signed } = setUp();
    await signed();
    const forced = Array.from({ length: 50 }, () => tokens.get(endpoint, { forceRefresh: true }));
    signings[1]?.give();
    expect(new Set(await Promise.all(forced)).size).toBe(1);
    expect(signings).toHaveLength(2);
  });

  test('whose signing hangs does not hang those who ask half a minute later', async () => {
    const { world, signings, tokens } = setUp();
    void tokens.get(endpoint);
    world.time += 30_000;
    const wanted = tokens.get(endpoint);
    signings[1]?.give();
    expect((await wanted).token).toContain('s2');
  });

  test('that had expired when it was signed is an error that points at the clock', async () => {
    const { world, signings, tokens } = setUp();
    const wanted = tokens.get(endpoint);
    signings[0]?.give({ signedAt: world.time - 15 * MINUTE });
    await expect(wanted).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_SIGNING',
      message: expect.stringMatching(/clock/),
    });
  });

  test('that could not be signed is requested again by the next call', async () => {
    const { signings, tokens, signed } = setUp();
    const wanted = tokens.get(endpoint);
    signings[0]?.fail();
    await expect(wanted).rejects.toThrow('no credentials today');
    expect((await signed()).token).toContain('s2');
  });

  test('is not shown by inspect or JSON', async () => {
    const { signed } = setUp();
    const token = await signed({ signature: 'verysecret' });
    expect(token.token).toContain('verysecret');
    expect(inspect(token, { depth: 9, showHidden: false })).not.toContain('verysecret');
    expect(JSON.stringify({ token })).not.toContain('verysecret');
    expect(inspect(token)).toContain(`${token.expiration.getFullYear()}`);
  });
});

describe('the arithmetic', () => {
  const signedAt = Date.parse('2026-02-03T04:05:06Z');

  test('reads the expiry of a token from the token', () => {
    expect(tokenExpiry(tokenSignedAt(signedAt, 'db:5432', 'app'))).toBe(signedAt + 15 * MINUTE);
    expect(tokenExpiry('db/?X-Amz-Expires=60&X-Amz-Date=20260203T040506Z')).toBe(signedAt + MINUTE);
  });

  test.each([
    '',
    'password',
    'db/?X-Amz-Date=20260203T040506Z',
    'db/?X-Amz-Expires=900',
    'db/?X-Amz-Date=now&X-Amz-Expires=900',
  ])('refuses %j, which is not a token', (text) => {
    expect(() => tokenExpiry(text)).toThrow(expect.objectContaining({ code: 'ERR_RDS_IAM_SIGNING' }));
  });

  test.each([
    ['credentials without an expiration', undefined, 15],
    ['credentials that last longer', 60, 15],
    ['credentials that expire sooner', 3, 3],
  ])('with %s', (_, credentialMinutes, minutes) => {
    const end = credentialMinutes === undefined ? undefined : new Date(signedAt + credentialMinutes * MINUTE);
    expect(effectiveExpiry(tokenSignedAt(signedAt, 'db:1', 'u'), end)).toBe(signedAt + minutes * MINUTE);
  });

  test('renewal is due between half of the life and its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 900_000 }), fc.integer({ min: 0, max: 840_000 }), (lifeMs, beforeMs) => {
        const due = renewalTime(signedAt + lifeMs, signedAt, beforeMs);
        expect(due).toBeGreaterThanOrEqual(signedAt + lifeMs / 2);
        expect(due).toBeLessThanOrEqual(signedAt + lifeMs);
      }),
    );
  });
});

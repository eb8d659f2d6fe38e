import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
// Core loads it late. It is loaded here, so that only the test's own clock takes time.
import '../src/connect.js';
import type { RdsIamEvents } from '../src/diagnostics.js';
import { RdsIamError } from '../src/errors.js';
import type { Login } from '../src/login.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith, type Effects } from '../src/rds-iam.js';
import { settle, World } from './world.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };
const refused = () => Object.assign(new Error('PAM authentication failed for user "app"'), { code: '28000' });
const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

function setUp(options: RdsIamOptions = {}, effects: Partial<Effects> = {}) {
  const world = new World();
  const iam = createRdsIamWith({ ...world.effects, ...effects }, { credentials, ...options });
  const logins: Login[] = [];
  /** Opens according to the steps, one for each attempt; the last one is repeated. */
  const opener = (...steps: (() => unknown)[]) => {
    return async (login: Login) => {
      logins.push(login);
      return steps[Math.min(logins.length, steps.length) - 1]?.();
    };
  };
  return { world, iam, logins, opener };
}

/** The error that work rejects with. */
async function failureOf(work: Promise<unknown>): Promise<RdsIamError> {
  return work.then(
    () => expect.unreachable('it succeeded'),
    (error: RdsIamError) => error,
  );
}

const fail = (error: () => unknown) => () => {
  throw error();
};

describe('connect', () => {
  test('passes everything that a driver needs to `open`', async () => {
    const { iam, logins, opener, world } = setUp();
    expect(
      await iam.connect(
        endpoint,
        opener(() => 'connection'),
      ),
    ).toBe('connection');
    expect(logins[0]).toMatchObject({ ...endpoint, identity: endpoint.hostname });
    expect(logins[0]?.token).toContain('X-Amz-Signature');
    expect(logins[0]?.tls).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' });
    expect(world.pendingTimers).toBe(0);
  });

  test('uses one token for many connections', async () => {
    const { iam, opener, world } = setUp();
    for (let count = 0; count < 10; count++)
      await iam.connect(
        endpoint,
        opener(() => count),
      );
    expect(world.signed).toHaveLength(1);
  });

  test('tries again with a new token when one is refused', async () => {
    const { iam, logins, opener, world } = setUp();
    const opened = iam.connect(
      endpoint,
      opener(fail(refused), () => 'connection'),
    );
    expect(await world.runTimersUntil(opened)).toBe('connection');
    expect(logins[0]?.token).not.toBe(logins[1]?.token);
  });

  test('keeps the token when the failure has nothing to do with it', async () => {
    const { iam, logins, opener, world } = setUp();
    await world.runTimersUntil(
      iam.connect(
        endpoint,
        opener(fail(reset), fail(reset), () => 'connection'),
      ),
    );
    expect(new Set(logins.map(({ token }) => token)).size).toBe(1);
  });

  test('gives up on a user that never logged in, with likely causes', async () => {
    const { iam, logins, opener, world } = setUp({ retry: { patienceMs: 1_000 } });
    const error = refused();
    const given = await failureOf(world.runTimersUntil(iam.connect(endpoint, opener(fail(() => error)))));
    expect(logins.length).toBeGreaterThan(2);
    expect(given).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', cause: error, attempts: logins.length, ...endpoint });
    expect(given.message).toMatch(
      /login refused by db\.abc.*:5432 as "app" after \d attempts in \d+ ms, all that "retry.patienceMs" allows: PAM/,
    );
    expect(given.message).toContain('arn:aws:rds-db:eu-west-1:ACCOUNT:dbuser:RESOURCE-ID/app');
    expect(given.message).toContain('GRANT rds_iam');
  });

  test('treats a refusal of a user that logged in before as throttling, until the deadline', async () => {
    const { iam, logins, opener, world } = setUp({ retry: { timeoutMs: 20_000 } });
    await iam.connect(endpoint, async () => 'connection');
    const startedAt = world.time;
    const given = await failureOf(world.runTimersUntil(iam.connect(endpoint, opener(fail(refused)))));
    expect(given).toMatchObject({ code: 'ERR_RDS_IAM_THROTTLED' });
    expect(logins.length).toBeGreaterThan(5);
    expect(world.time - startedAt).toBeLessThanOrEqual(20_000);
    expect(given.elapsedMs).toBeGreaterThan(10_000);
  });

  test('never retries what cannot succeed', async () => {
    const { iam, logins, opener } = setUp();
    const error = Object.assign(new Error('self-signed'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    await expect(iam.connect(endpoint, opener(fail(() => error)))).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_TLS',
      cause: error,
    });
    expect(logins).toHaveLength(1);
  });

  test('does not retry if that is turned off', async () => {
    const { iam, logins, opener } = setUp({ retry: false });
    await expect(iam.connect(endpoint, opener(fail(reset)))).rejects.toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE' });
    expect(logins).toHaveLength(1);
  });

  test('ends an attempt that hangs and tries again', async () => {
    const { iam, logins, world } = setUp();
    const hangs = (login: Login) =>
      new Promise<string>((resolve, reject) => {
        logins.push(login);
        if (logins.length === 2) resolve('connection');
        login.signal.addEventListener('abort', () => reject(new Error('Connection terminated')));
      });
    expect(await world.runTimersUntil(iam.connect(endpoint, hangs))).toBe('connection');
    expect(world.time).toBeGreaterThanOrEqual(Date.parse('2026-01-01T00:00:15Z'));
    expect(world.pendingTimers).toBe(0);
  });

  test("keeps one deadline for all attempts, the driver's if it has one", async () => {
    const { iam, world } = setUp();
    const hangs = ({ signal }: Login) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('Connection terminated'))));
    const startedAt = world.time;
    const given = await failureOf(world.runTimersUntil(iam.connect(endpoint, hangs, { timeoutMs: 2_000 })));
    expect(world.time - startedAt).toBe(2_000);
    expect(given).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', cause: { kind: 'timed-out' } });
    expect(given.message).toContain('no connection within 2000 ms');
  });

  test('gives up no later than the framework that waits for it, whatever the deadline', async () => {
    for (const timeoutMs of [undefined, 2_000, 500]) {
      const { iam, world } = setUp({ retry: { timeoutMs: 4_000 } });
      const hangs = ({ signal }: Login) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('Connection terminated'))));
      const startedAt = world.time;
      const options = { atMostMs: 1_000, ...(timeoutMs !== undefined && { timeoutMs }) };
      await failureOf(world.runTimersUntil(iam.connect(endpoint, hangs, options)));
      expect(world.time - startedAt).toBe(Math.min(timeoutMs ?? 4_000, 1_000));
    }
  });

  test('stops at once when the signal is aborted: while opening, while waiting, and before', async () => {
    const { iam, world } = setUp();
    const hangs = ({ signal }: Login) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('closed'))));
    const aborted = { code: 'ERR_RDS_IAM_ABORTED', hostname: endpoint.hostname };
    for (const open of [hangs, async () => Promise.reject(reset())]) {
      const control = new AbortController();
      const opened = iam.connect(endpoint, open, { signal: control.signal });
      opened.catch(() => {});
      await settle();
      control.abort();
      await expect(opened).rejects.toMatchObject(aborted);
      expect(world.pendingTimers).toBe(0);
    }
    await expect(iam.connect(endpoint, hangs, { signal: AbortSignal.abort() })).rejects.toMatchObject(aborted);
  });

  test('finishes the attempt under way, and starts no other, when told to stop retrying', async () => {
    const { iam, logins, opener, world } = setUp();
    const control = new AbortController();
    const stopRetrying = control.signal;
    const waiting = iam.connect(endpoint, opener(fail(reset)), { stopRetrying });
    waiting.catch(() => {});
    await settle();
    control.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', attempts: 1 });
    expect(world.pendingTimers).toBe(0);
    await expect(
      iam.connect(
        endpoint,
        opener(() => 'connection'),
        { stopRetrying },
      ),
    ).resolves.toBeDefined();
    expect(logins).toHaveLength(2);
  });

  test('lets many wait for the end of one pool without a warning from Node.js', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { world, iam } = setUp();
    const { signal: stopRetrying } = new AbortController();
    await iam.connect(endpoint, async () => 'connection');
    const all = Array.from({ length: 20 }, () => {
      const steps = [fail(refused), () => 'connection'];
      return iam.connect(endpoint, async () => steps.shift()?.(), { stopRetrying });
    });
    await world.runTimersUntil(Promise.all(all));
    await settle();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  test('does not mistake a source of credentials that hangs for a server that does', async () => {
    let hangs = true;
    const provider = () => (hangs ? new Promise<never>(() => {}) : Promise.resolve(credentials));
    const { iam, opener, world, logins } = setUp({ credentials: provider });
    const given = await failureOf(world.runTimersUntil(iam.connect(endpoint, opener())));
    expect(given).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', attempts: 2, cause: { kind: 'timed-out' } });
    expect(given.message).toContain('no AWS credentials: their source did not answer within 15000 ms');
    expect(logins).toHaveLength(0);
    world.time += 30_000;
    hangs = false;
    await world.runTimersUntil(iam.connect(endpoint, opener()));
    expect(logins).toHaveLength(1);
  });

  test('signs no token and dials nothing when there are no credentials', async () => {
    const provider = async () => Promise.reject(new Error('not logged in'));
    const { iam, logins, opener, world } = setUp({ credentials: provider });
    await expect(
      iam.connect(
        endpoint,
        opener(() => 1),
      ),
    ).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      message: expect.stringMatching(/not logged in.*AWS_PROFILE.*db\.abc.*"app"/),
      cause: { message: 'not logged in' },
    });
    expect(logins).toHaveLength(0);
    expect(world.signed).toHaveLength(0);
  });

  test('signs for, dials and verifies the endpoint that a custom name leads to', async () => {
    const names: Record<string, string> = {
      'db.example.com': 'alias.example.com',
      'alias.example.com': `${endpoint.hostname}.`,
    };
    const { iam, logins, opener, world } = setUp({}, { resolveCname: async (name) => [names[name] ?? 'nowhere'] });
    await iam.connect(
      { ...endpoint, hostname: 'db.example.com' },
      opener(() => 1),
    );
    expect(logins[0]).toMatchObject({ hostname: endpoint.hostname, identity: endpoint.hostname });
    expect(world.signed[0]?.hostname).toBe(endpoint.hostname);
  });

  test('retries the DNS when it fails, and gives up with its error', async () => {
    let failures = 1;
    const resolveCname = async () => {
      if (failures-- > 0) throw Object.assign(new Error('queryCname ESERVFAIL'), { code: 'ESERVFAIL' });
      return [endpoint.hostname];
    };
    const { iam, opener, world } = setUp({}, { resolveCname });
    const custom = { ...endpoint, hostname: 'db.example.com' };
    await world.runTimersUntil(
      iam.connect(
        custom,
        opener(() => 1),
      ),
    );
    failures = 100;
    const other = { ...custom, username: 'other' };
    await expect(
      world.runTimersUntil(
        iam.connect(
          other,
          opener(() => 1),
        ),
      ),
    ).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_ENDPOINT',
      cause: { code: 'ESERVFAIL' },
      attempts: 3,
    });
  });

  describe('if the same user logged in before, retries until the deadline', () => {
    test('a DNS server that does not answer for a while', async () => {
      let failures = 0;
      const resolveCname = async () => {
        if (failures-- > 0) throw Object.assign(new Error('SERVFAIL'), { code: 'ESERVFAIL' });
        return [endpoint.hostname];
      };
      const { iam, opener, world } = setUp({}, { resolveCname });
      const custom = { ...endpoint, hostname: 'db.example.com' };
      await iam.connect(custom, opener());
      failures = 10;
      await world.runTimersUntil(iam.connect(custom, opener()));
      failures = 1_000;
      const given = await failureOf(world.runTimersUntil(iam.connect(custom, opener())));
      expect(given).toMatchObject({ code: 'ERR_RDS_IAM_ENDPOINT', cause: { code: 'ESERVFAIL' } });
      expect(given.elapsedMs).toBeGreaterThan(20_000);
    });

    test('a DNS server that does not know the name for a moment', async () => {
      const world = new World();
      let failures = 0;
      const resolveCname = async () => {
        if (failures-- > 0) throw Object.assign(new Error('NXDOMAIN'), { code: 'ENOTFOUND' });
        return [endpoint.hostname];
      };
      const sign: Effects['sign'] = async (request) => {
        if (request.region === undefined) throw new RdsIamError('ERR_RDS_IAM_REGION', 'no region');
        return world.effects.sign?.(request) ?? '';
      };
      const iam = createRdsIamWith({ ...world.effects, sign, resolveCname }, { credentials });
      const custom = { ...endpoint, hostname: 'db.example.com' };
      const dialed: string[] = [];
      const open = async ({ hostname }: Login) => void dialed.push(hostname);
      await iam.connect(custom, open);
      failures = 5;
      await world.runTimersUntil(iam.connect(custom, open));
      expect(dialed).toEqual([endpoint.hostname, endpoint.hostname]);
    });

    test('a source of credentials, but not otherwise', async () => {
      let failures = 0;
      const provider = async () => {
        if (failures-- > 0) throw new Error('the metadata service is away');
        return { ...credentials, expiration: new Date(world.time + 20 * 60_000) };
      };
      const { iam, opener, world } = setUp({ credentials: provider });
      failures = 1;
      const first = await failureOf(world.runTimersUntil(iam.connect(endpoint, opener())));
      expect(first).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', attempts: 1 });
      await iam.connect(endpoint, opener());
      world.time += 30 * 60_000;
      failures = 6;
      await world.runTimersUntil(iam.connect(endpoint, opener()));
      expect(failures).toBeLessThan(0);
    });
  });

  describe('when a token is refused, since its credentials may have been revoked,', () => {
    const dated = (expiresAt?: number) => (expiresAt === undefined ? {} : { expiration: new Date(expiresAt) });

    test.each([
      ['without an expiration', undefined],
      ['that last an hour', 60 * 60_000],
    ])('credentials %s are fetched again', async (_, lifeMs) => {
      const asked: unknown[] = [];
      let accessKeyId = 'AKIDOLD';
      const provider = async (properties?: object) => {
        asked.push(properties);
        return { ...credentials, accessKeyId, ...dated(lifeMs && world.time + lifeMs) };
      };
      const { iam, world } = setUp({ credentials: provider });
      const open = async () => {
        if (world.signed.at(-1)?.accessKeyId !== accessKeyId) throw refused();
      };
      await iam.connect(endpoint, open);
      world.time += 20_000;
      accessKeyId = 'AKIDNEW';
      // The token of the old key is still in memory, and refused.
      let attempts = 0;
      await world.runTimersUntil(
        iam.connect(endpoint, () => {
          attempts++;
          return open();
        }),
      );
      expect(attempts).toBe(2);
      expect(asked).toEqual([{}, { forceRefresh: true }]);
    });

    test('no more often than every ten seconds, however many are refused', async () => {
      const askedAt: number[] = [];
      const provider = async () => {
        askedAt.push(world.time);
        return { ...credentials, expiration: new Date(world.time + 60 * 60_000) };
      };
      const { iam, world } = setUp({ credentials: provider });
      let throttled = false;
      const open = async () => {
        if (throttled) throw refused();
      };
      await iam.connect(endpoint, open);
      throttled = true;
      const logins = Array.from({ length: 40 }, () => iam.connect(endpoint, open));
      await world.runTimersUntil(Promise.allSettled(logins));
      expect(askedAt.length).toBeGreaterThan(1);
      expect(askedAt.length).toBeLessThanOrEqual(4);
      askedAt.reduce((before, at) => {
        expect(at - before).toBeGreaterThanOrEqual(10_000);
        return at;
      });
    });

    test('and the current ones stay in use while their source is unavailable', async () => {
      let isAway = false;
      let asked = 0;
      const provider = async () => {
        asked++;
        if (isAway) throw new Error('the source is away');
        return credentials;
      };
      const { iam, opener, world } = setUp({ credentials: provider });
      await iam.connect(endpoint, opener());
      world.time += 20_000;
      isAway = true;
      const given: number[] = [];
      await world.runTimersUntil(
        iam.connect(endpoint, async () => {
          if (given.push(world.time) === 1) throw refused();
        }),
      );
      expect({ given: given.length, asked, signed: world.signed.length }).toEqual({ given: 2, asked: 2, signed: 2 });
    });
  });

  test("says so when the clock differs from AWS's", async () => {
    const { iam, opener, world } = setUp({}, { clockSkewMs: async () => -11 * 60_000 });
    const given = await failureOf(world.runTimersUntil(iam.connect(endpoint, opener(fail(refused)))));
    expect(given.message).toContain("1. this machine's clock is 11 minutes ahead of AWS's");
  });

  test('says so when the name is not an RDS endpoint', async () => {
    const { iam, opener, world } = setUp({ region: 'eu-west-1' });
    const given = await failureOf(
      world.runTimersUntil(iam.connect({ ...endpoint, hostname: 'localhost' }, opener(fail(refused)))),
    );
    expect(given.message).toContain('"localhost", which is not an RDS endpoint');
  });

  test('refuses a region that contradicts the host name, before any request', async () => {
    const { iam, opener, world } = setUp({ region: 'us-east-1' });
    await expect(
      iam.connect(
        endpoint,
        opener(() => 1),
      ),
    ).rejects.toMatchObject({ code: 'ERR_RDS_IAM_CONFIG' });
    expect(world.signed).toHaveLength(0);
  });
});

describe('getToken', () => {
  test('can be aborted without disturbing others who are waiting', async () => {
    const world = new World();
    const given: ((token: string) => void)[] = [];
    const sign = () => new Promise<string>((resolve) => given.push(resolve));
    const iam = createRdsIamWith({ ...world.effects, sign }, { credentials });
    const control = new AbortController();
    const one = iam.getToken(endpoint, { signal: control.signal });
    const other = iam.getToken(endpoint);
    await settle();
    control.abort();
    await expect(one).rejects.toMatchObject({ code: 'ERR_RDS_IAM_ABORTED' });
    given[0]?.('db/?Action=connect&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900');
    expect((await other).token).toContain('20260101T000000Z');
  });

  test('names the endpoint of each caller when many share one failure', async () => {
    const { iam } = setUp({ credentials: async () => Promise.reject(new Error('no')) });
    const failures = await Promise.allSettled([1, 2].map((port) => iam.getToken({ ...endpoint, port })));
    expect(failures).toMatchObject([{ reason: { port: 1 } }, { reason: { port: 2 } }]);
  });
});

describe('diagnostics', () => {
  const names: (keyof RdsIamEvents)[] = [
    'rds-iam:token:signed',
    'rds-iam:connection:admitted',
    'rds-iam:connection:attempt-failed',
    'rds-iam:connection:opened',
    'rds-iam:connection:gave-up',
  ];
  const events: [string, Record<string, unknown>][] = [];
  const listener = (event: unknown, name: string | symbol) =>
    events.push([String(name), event as Record<string, unknown>]);
  afterEach(() => {
    events.length = 0;
    for (const name of names) unsubscribe(name, listener);
  });

  test('report each step of a login, without secrets', async () => {
    for (const name of names) subscribe(name, listener);
    const { iam, opener, world, logins } = setUp();
    const leaky = () => Object.assign(new Error(`bad password ${logins[0]?.token}`), { code: 'ECONNRESET' });
    await world.runTimersUntil(
      iam.connect(
        endpoint,
        opener(fail(leaky), () => 1),
      ),
    );
    expect(events.map(([name]) => name)).toEqual([
      'rds-iam:token:signed',
      'rds-iam:connection:admitted',
      'rds-iam:connection:attempt-failed',
      'rds-iam:connection:admitted',
      'rds-iam:connection:opened',
    ]);
    expect(events[2]?.[1]).toMatchObject({ ...endpoint, attempt: 1, code: 'ERR_RDS_IAM_UNREACHABLE', retryInMs: 50 });
    expect(events[4]?.[1]).toMatchObject({ ...endpoint, attempts: 2, durationMs: 50 });
    expect(inspect(events, { depth: 10 })).not.toMatch(/X-Amz-Signature=[^[]/);
    expect(inspect(events, { depth: 10 })).not.toContain('SECRET');
  });

  test('report that a connection was given up, with the error that the caller got', async () => {
    for (const name of names) subscribe(name, listener);
    const { iam, opener } = setUp({ retry: false });
    const error = await failureOf(iam.connect(endpoint, opener(fail(reset))));
    expect(events.at(-1)).toEqual(['rds-iam:connection:gave-up', { ...endpoint, attempts: 1, durationMs: 0, error }]);
    expect(events.at(-2)?.[1]).not.toHaveProperty('retryInMs');
  });
});

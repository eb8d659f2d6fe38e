import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test, vi } from 'vitest';
import '../src/connect.js';
import type { RdsIamError } from '../src/errors.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith } from '../src/rds-iam.js';
import { settle, World } from './world.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };
const refused = () => Object.assign(new Error('PAM authentication failed for user "app"'), { code: '28000' });
const refuse = async () => Promise.reject(refused());

const failureOf = (work: Promise<unknown>): Promise<RdsIamError> =>
  work.then(
    () => expect.unreachable('it succeeded'),
    (error: RdsIamError) => error,
  );

afterEach(() => {
  vi.restoreAllMocks();
});

/** `count` processes that do not know of each other, and a server that admits this many logins in any second. */
async function fleet(count: number, perSecond: number, options: RdsIamOptions) {
  const world = new World();
  const admittedAt: number[] = [];
  let logins = 0;
  const logIn = async () => {
    logins++;
    while ((admittedAt[0] ?? Number.POSITIVE_INFINITY) <= world.time - 1_000) admittedAt.shift();
    if (admittedAt.length >= perSecond) throw refused();
    admittedAt.push(world.time);
  };
  const startedAt = world.time;
  const random = () => world.dice();
  const all = Array.from({ length: count }, async () => {
    const iam = createRdsIamWith({ ...world.effects, random }, { credentials, ...options });
    try {
      await iam.connect(endpoint, logIn);
      return world.time - startedAt;
    } catch {
      return undefined;
    }
  });
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const tookMs = await world.runTimersUntil(Promise.all(all));
  const inMs = tookMs.filter((ms) => ms !== undefined);
  return { lost: count - inMs.length, lastMs: Math.max(...inMs), loginsEach: logins / count };
}

describe('a fleet of new processes that do not know of each other, and a server that throttles', () => {
  test('ten times what it admits in a second: all get in within twice the shortest possible time', async () => {
    const { lost, lastMs, loginsEach } = await fleet(200, 20, {});
    expect(lost).toBe(0);
    expect(lastMs).toBeLessThan(20_000);
    expect(loginsEach).toBeLessThan(5);
  });

  test('twenty times, within a deadline of a minute: all get in', async () => {
    const { lost } = await fleet(400, 20, { retry: { timeoutMs: 60_000 } });
    expect(lost).toBe(0);
  });
});

describe('a first login that is refused', () => {
  const warnings = () => vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

  test('is retried for "patienceMs", which is most of the deadline, and the error names the time-out', async () => {
    warnings();
    for (const [options, limitMs, name] of [
      [{}, 24_000, 'retry.timeoutMs'],
      [{ retry: { timeoutMs: 10_000 } }, 8_000, 'retry.timeoutMs'],
      [{ retry: { patienceMs: 5_000 } }, 5_000, 'retry.patienceMs'],
    ] as const) {
      const world = new World();
      const iam = createRdsIamWith(world.effects, { credentials, ...options });
      const error = await failureOf(world.runTimersUntil(iam.connect(endpoint, refuse)));
      expect(error).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', kind: 'token-refused' });
      expect(error.message).toContain(`all that "${name}" allows`);
      expect(error.elapsedMs).toBeLessThanOrEqual(limitMs);
      expect(error.elapsedMs).toBeGreaterThan(limitMs / 2);
      expect(error.attempts).toBeGreaterThan(3);
    }
  });

  test("names the driver's or the framework's time-out if that ended it", async () => {
    warnings();
    const world = new World();
    const iam = createRdsIamWith(world.effects, { credentials });
    const bounds = { timeoutMs: 9_000, timeoutOption: 'connectionTimeoutMillis' };
    const byDriver = await failureOf(world.runTimersUntil(iam.connect(endpoint, refuse, bounds)));
    expect(byDriver.message).toContain('all that "connectionTimeoutMillis" allows');
    const framework = { ...bounds, atMostMs: 4_000, atMostOption: 'acquireConnectionTimeout' };
    const byFramework = await failureOf(world.runTimersUntil(iam.connect(endpoint, refuse, framework)));
    expect(byFramework.message).toContain('all that "acquireConnectionTimeout" allows');
  });

  const never = () => new Promise<never>(() => {});
  test.each([
    ['a server that does not answer', 'ERR_RDS_IAM_UNREACHABLE', endpoint.hostname, never],
    ['a DNS that does not answer', 'ERR_RDS_IAM_ENDPOINT', 'db.example.com', refuse],
    ['a turn that does not come', 'ERR_RDS_IAM_ADMISSION', endpoint.hostname, refuse],
  ])('names it with %s, too', async (_, code, hostname, open) => {
    const world = new World();
    const options = { credentials, region: 'eu-west-1', maxConnectionsPerSecond: 1 };
    const iam = createRdsIamWith({ ...world.effects, resolveCname: never }, options);
    const bounds = { timeoutMs: 300, timeoutOption: 'connectTimeout' };
    const calls = [1, 2].map(() => failureOf(iam.connect({ ...endpoint, hostname }, open, bounds)));
    const errors = await world.runTimersUntil(Promise.all(calls));
    expect(errors.find((error) => error.code === code)?.message).toMatch(
      /, all that "connectTimeout" allows|\("connectTimeout" ran out\)/,
    );
  });

  test('names no time-out if the end of a pool ended it', async () => {
    const world = new World();
    const iam = createRdsIamWith(world.effects, { credentials });
    const ended = new AbortController();
    const waiting = failureOf(iam.connect(endpoint, refuse, { stopRetrying: ended.signal }));
    await settle();
    ended.abort();
    const error = await waiting;
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    expect(error.message).not.toContain('allows');
  });

  test('fails at once if "patienceMs" is 0', async () => {
    const warned = warnings();
    const world = new World();
    const iam = createRdsIamWith(world.effects, { credentials, retry: { patienceMs: 0 } });
    expect(await failureOf(iam.connect(endpoint, refuse))).toMatchObject({ attempts: 1 });
    expect(warned).not.toHaveBeenCalled();
  });

  test('causes one warning within a second and a half, with the causes and how to fail at once', async () => {
    const warned = warnings();
    const events: unknown[] = [];
    const listen = (event: unknown) => events.push(event);
    subscribe('rds-iam:connection:refused-repeatedly', listen);
    const world = new World();
    world.chance = 0.999_999;
    const iam = createRdsIamWith(world.effects, { credentials });
    const startedAt = world.time;
    let warnedAfterMs = 0;
    warned.mockImplementation(() => {
      warnedAfterMs = world.time - startedAt;
    });
    await world.runTimersUntil(Promise.all(Array.from({ length: 3 }, () => failureOf(iam.connect(endpoint, refuse)))));
    await failureOf(world.runTimersUntil(iam.connect(endpoint, refuse)));
    unsubscribe('rds-iam:connection:refused-repeatedly', listen);
    expect(warnedAfterMs).toBeLessThanOrEqual(1_500);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledWith(
      expect.stringMatching(/refused 3 logins as "app".*"retry.patienceMs" to 0.*1\. .*rds-db:connect.*GRANT rds_iam/s),
      { type: 'RdsIamWarning', code: 'RDS_IAM_LOGIN_REFUSED' },
    );
    expect(events).toMatchObject([{ ...endpoint, attempts: 3, retryForMs: expect.any(Number) }]);
  });

  test('is told for how long it is tried, also where that is less than a second', async () => {
    const warned = warnings();
    const world = new World();
    world.chance = 0.999_999;
    const iam = createRdsIamWith(world.effects, { credentials, retry: { patienceMs: 1_700 } });
    await failureOf(world.runTimersUntil(iam.connect(endpoint, refuse)));
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('Retrying for another 0.4 s'), expect.anything());
  });
});

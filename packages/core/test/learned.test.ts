import { describe, expect, test } from 'vitest';
import '../src/connect.js';
import type { RdsIamError } from '../src/errors.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith, type Effects } from '../src/rds-iam.js';
import { settle, World } from './world.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };
const refused = async () => {
  throw Object.assign(new Error('PAM authentication failed for user "app"'), { code: '28000' });
};
const HOUR_MS = 3_600_000;

function setUp(options: RdsIamOptions = {}, effects: (world: World) => Partial<Effects> = () => ({})) {
  const world = new World();
  const iam = createRdsIamWith({ ...world.effects, ...effects(world) }, { credentials, ...options });
  return { world, iam };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'in',
    (error: RdsIamError) => error.code,
  );

const times = <T>(count: number, make: () => T) => Array.from({ length: count }, make);

test('a user whose grant was revoked does not count as throttled forever', async () => {
  const { world, iam } = setUp();
  await iam.connect(endpoint, async () => 'in');
  world.time += 60_000;
  expect(await codeOf(world.runTimersUntil(iam.connect(endpoint, refused)))).toBe('ERR_RDS_IAM_THROTTLED');
  expect(await codeOf(world.runTimersUntil(iam.connect(endpoint, refused)))).toBe('ERR_RDS_IAM_REFUSED');

  await iam.connect(endpoint, async () => 'in');
  world.time += 2 * HOUR_MS;
  expect(await codeOf(world.runTimersUntil(iam.connect(endpoint, refused)))).toBe('ERR_RDS_IAM_REFUSED');
});

test('a burst after a quiet hour starts like the first one', async () => {
  const { world, iam } = setUp();
  let underWay = 0;
  let most = 0;
  const open = async () => {
    most = Math.max(most, ++underWay);
    await new Promise<void>((resolve) => world.clock.after(5, resolve));
    underWay--;
  };
  const burst = () => world.runTimersUntil(Promise.all(times(200, () => iam.connect(endpoint, open))));
  await burst();
  expect(most).toBeGreaterThan(10);
  world.time += HOUR_MS;
  most = 0;
  const again = Promise.all(times(200, () => iam.connect(endpoint, open)));
  await settle();
  expect(most).toBeLessThanOrEqual(10);
  await world.runTimersUntil(again);
});

describe('AWS', () => {
  test('is asked for the time once, however many logins are refused', async () => {
    let asked = 0;
    const { world, iam } = setUp({}, () => ({
      clockSkewMs: async () => {
        asked++;
        return 0;
      },
    }));
    const codes = times(300, () => codeOf(iam.connect(endpoint, refused)));
    await world.runTimersUntil(Promise.all(codes));
    expect(asked).toBe(1);
  });

  test('is waited for no longer than the deadline', async () => {
    const { world, iam } = setUp({}, () => ({ clockSkewMs: () => new Promise(() => {}) }));
    const startedAt = world.time;
    const options = { timeoutMs: 1_500 };
    expect(await codeOf(world.runTimersUntil(iam.connect(endpoint, refused, options)))).toBe('ERR_RDS_IAM_REFUSED');
    expect(world.time - startedAt).toBeLessThanOrEqual(1_500);
  });
});

describe('the DNS', () => {
  const custom = { ...endpoint, hostname: 'db.example.com' };
  const lookUps = (answers: (() => Promise<string[]>)[]) => {
    let asked = 0;
    const resolveCname = async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      return (await answer?.()) ?? [];
    };
    return { resolveCname, count: () => asked };
  };

  test('is asked once for a thousand connections at a time, and again for the next', async () => {
    const dns = lookUps([async () => [endpoint.hostname]]);
    const { world, iam } = setUp({}, () => ({ resolveCname: dns.resolveCname }));
    await world.runTimersUntil(Promise.all(times(1_000, () => iam.connect(custom, async () => 'in'))));
    expect(dns.count()).toBe(1);
    await iam.connect(custom, async () => 'in');
    expect(dns.count()).toBe(2);
  });

  test('is asked again after a failed look-up or login', async () => {
    const other = 'other.abc.eu-west-1.rds.amazonaws.com';
    const dns = lookUps([
      async () => {
        throw Object.assign(new Error('queryCname ETIMEOUT'), { code: 'ETIMEOUT' });
      },
      async () => [endpoint.hostname],
      async () => [other],
    ]);
    const { world, iam } = setUp({}, () => ({ resolveCname: dns.resolveCname }));
    const dialed: string[] = [];
    const open = async ({ hostname }: { hostname: string }) => {
      dialed.push(hostname);
      if (hostname !== other) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    };
    await world.runTimersUntil(iam.connect(custom, open));
    expect(dialed).toEqual([endpoint.hostname, other]);
  });
});

test('a TLS context that could not be made is made again: EMFILE passes', async () => {
  let asked = 0;
  const { world, iam } = setUp({}, () => ({
    trustedRoots: async () => {
      if (asked++ === 0) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
      return { certificates: [], description: '' };
    },
  }));
  expect(await codeOf(world.runTimersUntil(iam.connect(endpoint, async () => 'in')))).toBe('in');
  expect(asked).toBe(2);
});

test('the session with a peer is forgotten when a login fails', async () => {
  const { world, iam } = setUp();
  const seen: (Buffer | undefined)[] = [];
  const socket = { isSessionReused: () => false, getSession: () => Buffer.from('session'), on() {} };
  await iam.connect(endpoint, async ({ session }) => session.keep(socket as never));
  const open = async ({ session }: { session: { latest: Buffer | undefined } }) => {
    seen.push(session.latest);
    if (seen.length === 1) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  };
  await world.runTimersUntil(iam.connect(endpoint, open));
  expect(seen).toEqual([Buffer.from('session'), undefined]);
});

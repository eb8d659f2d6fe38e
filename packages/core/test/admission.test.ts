import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { mysql } from '../src/engines/mysql.js';
import { postgres } from '../src/engines/postgres.js';
import '../src/connect.js';
import type { Clock } from '../src/clock.js';
import type { Endpoint } from '../src/endpoint.js';
import type { RdsIamError } from '../src/errors.js';
import type { ConnectionLimiter } from '../src/limiter.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith } from '../src/rds-iam.js';
import { settle, World } from './world.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };
const refused = () => Object.assign(new Error('PAM authentication failed for user "app"'), { code: '28000' });
const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** A server a few milliseconds away that admits this many logins in any one second, as the emulator does. */
class Server {
  readonly admittedAt: number[] = [];
  attempts = 0;
  underWay = 0;
  mostUnderWay = 0;
  coldMs = 0;

  constructor(
    readonly world: World,
    public admits: number,
    readonly refusal: () => Error = refused,
  ) {}

  readonly logIn = async () => {
    this.attempts++;
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await this.#travel();
    const now = this.world.time;
    const admitted = this.admittedAt.filter((at) => at > now - 1_000).length < this.admits;
    if (admitted) this.admittedAt.push(now);
    await this.#travel();
    this.underWay--;
    if (!admitted) throw this.refusal();
    return this.attempts;
  };

  /** The maximum that was admitted in any one second. */
  busiestSecond(): number {
    return busiestSecond(this.admittedAt);
  }

  /** Between 1 and 4 ms each way, different each time, and longer for the very first logins. */
  #travel(): Promise<void> {
    const delayMs = 1 + 3 * this.world.dice() + (this.attempts <= 10 ? this.coldMs : 0);
    return new Promise((resolve) => this.world.clock.after(delayMs, resolve));
  }
}

function busiestSecond(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
}

function setUp(options: RdsIamOptions, admits: number, refusal?: () => Error) {
  const world = new World();
  const iam = createRdsIamWith(
    { ...world.effects, random: () => world.dice() },
    { credentials, retry: { timeoutMs: 60_000 }, ...options },
  );
  return { world, iam, server: new Server(world, admits, refusal) };
}

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

async function failureOf(work: Promise<unknown>): Promise<RdsIamError> {
  return work.then(
    () => expect.unreachable('it succeeded'),
    (error) => error,
  );
}

describe('opening ten times as many connections at once as the server admits in a second', () => {
  const ADMITS = 50;
  const WANTED = 10 * ADMITS;

  test.each([20, 50, 100, 200])(
    'with a known limit of %i, all succeed in about the time that takes, and hardly any is refused',
    async (admits) => {
      const { world, iam, server } = setUp({ maxConnectionsPerSecond: admits }, admits);
      const startedAt = world.time;
      await world.runTimersUntil(Promise.all(times(10 * admits, () => iam.connect(endpoint, server.logIn))));
      expect(server.attempts).toBeLessThanOrEqual(1.005 * 10 * admits);
      expect(world.time - startedAt).toBeLessThan(1.1 * 10_000);
      expect(server.busiestSecond()).toBeLessThanOrEqual(admits);
    },
  );

  test.each([20, 40, 100, 200])(
    'the same with a limit of %i when the first logins take longer than the later ones',
    async (admits) => {
      const { world, iam, server } = setUp({ maxConnectionsPerSecond: admits }, admits);
      server.coldMs = 30;
      const startedAt = world.time;
      await world.runTimersUntil(Promise.all(times(10 * admits, () => iam.connect(endpoint, server.logIn))));
      expect(server.attempts).toBeLessThanOrEqual(1.005 * 10 * admits);
      expect(world.time - startedAt).toBeLessThan(1.1 * 10_000);
    },
  );

  test('it takes no longer when timers are late', async () => {
    const world = new World();
    const { now, after } = world.clock;
    const late: typeof after = (delayMs, callback) => after(delayMs + 15 * world.dice(), callback);
    const clock = { now, after: late };
    const iam = createRdsIamWith({ ...world.effects, clock }, { credentials, maxConnectionsPerSecond: 200 });
    const server = new Server(world, 200);
    const startedAt = world.time;
    await world.runTimersUntil(Promise.all(times(2_000, () => iam.connect(endpoint, server.logIn))));
    expect(server.attempts).toBeLessThanOrEqual(1.005 * 2_000);
    expect(world.time - startedAt).toBeLessThan(1.1 * 10_000);
  });

  test('when the token arrives late, connections with a permit do not all start at once', async () => {
    const world = new World();
    const slowly = () =>
      new Promise<typeof credentials>((resolve) => world.clock.after(700, () => resolve(credentials)));
    const iam = createRdsIamWith(world.effects, { credentials: slowly, maxConnectionsPerSecond: 20 });
    const server = new Server(world, 20);
    await world.runTimersUntil(Promise.all(times(40, () => iam.connect(endpoint, server.logIn))));
    expect(server.attempts).toBe(40);
  });

  test.each([
    ['refused', refused],
    ['reset', reset],
  ])('an unknown limit is found from what is %s, and hardly exceeded', async (_, refusal) => {
    const { world, iam, server } = setUp({}, ADMITS, refusal);
    const startedAt = world.time;
    await world.runTimersUntil(Promise.all(times(WANTED, () => iam.connect(endpoint, server.logIn))));
    expect(server.attempts).toBeLessThanOrEqual(1.5 * WANTED);
    expect(world.time - startedAt).toBeLessThan(1.4 * 10_000);
  });

  test('several pools share what they learn about a database instance, whatever name they use for it', async () => {
    const { world, iam, server } = setUp({ region: 'eu-west-1' }, ADMITS);
    const others: readonly Endpoint[] = [endpoint, { ...endpoint, username: 'other' }];
    await world.runTimersUntil(
      Promise.all(times(WANTED, (index) => iam.connect(others[index % 2] as Endpoint, server.logIn))),
    );
    expect(server.attempts).toBeLessThanOrEqual(1.5 * WANTED);
  });
});

describe('the known limit', () => {
  test('is 200 a second for MySQL, and there is none for PostgreSQL', async () => {
    for (const [engine, from, to] of [
      [mysql, 2_000, 2_300],
      [postgres, 0, 500],
    ] as const) {
      const { world, iam, server } = setUp({}, 10_000);
      const startedAt = world.time;
      await world.runTimersUntil(Promise.all(times(400, () => iam.connect(endpoint, server.logIn, { engine }))));
      expect(world.time - startedAt, engine.name).toBeGreaterThanOrEqual(from);
      expect(world.time - startedAt, engine.name).toBeLessThan(to);
    }
  });

  test('does not slow down a small pool', async () => {
    const { world, iam, server } = setUp({}, 10_000);
    const startedAt = world.time;
    await world.runTimersUntil(Promise.all(times(10, () => iam.connect(endpoint, server.logIn, { engine: mysql }))));
    expect(world.time - startedAt).toBeLessThan(10);
  });

  test('goes down when the server admits less, and up again when it admits more', async () => {
    const { world, iam, server } = setUp({ maxConnectionsPerSecond: 100 }, 30);
    await world.runTimersUntil(Promise.all(times(300, () => iam.connect(endpoint, server.logIn))));
    expect(server.attempts).toBeLessThanOrEqual(1.5 * 300);
    server.admits = 1_000;
    await world.runTimersUntil(new Promise<void>((resolve) => world.clock.after(61_000, resolve)));
    const startedAt = world.time;
    await world.runTimersUntil(Promise.all(times(300, () => iam.connect(endpoint, server.logIn))));
    expect(world.time - startedAt).toBeLessThan(3_300);
  });
});

describe('waiting for a permit', () => {
  test('is first come, first served, also for retries', async () => {
    const { world, iam, server } = setUp({ maxConnectionsPerSecond: 10 }, 10_000);
    const order: number[] = [];
    let first = true;
    await world.runTimersUntil(
      Promise.all(
        times(30, (index) =>
          iam.connect(endpoint, async () => {
            if (index === 5 && first) {
              first = false;
              throw reset();
            }
            await server.logIn();
            order.push(index);
          }),
        ),
      ),
    );
    const others = order.filter((index) => index !== 5);
    expect(others).toEqual(others.toSorted((a, b) => a - b));
    expect(order.indexOf(5)).toBeLessThan(10);
  });

  test('ends at the deadline, with an error that says how many are waiting', async () => {
    const { world, iam, server } = setUp({ maxConnectionsPerSecond: 1, retry: { timeoutMs: 1_500 } }, 10_000);
    const all = times(5, () => iam.connect(endpoint, server.logIn));
    const outcomes = await world.runTimersUntil(Promise.allSettled(all));
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons.length).toBeGreaterThan(2);
    expect(reasons[0]).toMatchObject({
      code: 'ERR_RDS_IAM_ADMISSION',
      message: expect.stringMatching(/its turn did not come.*\d waiting.*at 1 a second.*maxConnectionsPerSecond/s),
    });
    expect(world.pendingTimers).toBe(0);
  });

  test('does not start when too many are waiting already', async () => {
    const { world, iam, server } = setUp({ maxConnectionsPerSecond: 1, maxWaitingConnections: 2 }, 10_000);
    const waiting = times(3, () => iam.connect(endpoint, server.logIn));
    await settle();
    expect(await failureOf(iam.connect(endpoint, server.logIn))).toMatchObject({
      code: 'ERR_RDS_IAM_ADMISSION',
      message: expect.stringContaining('the queue is full (limit 2)'),
    });
    await world.runTimersUntil(Promise.all(waiting));
  });

  test('ends when the caller cancels it, and others move up', async () => {
    const { world, iam, server } = setUp({ maxConnectionsPerSecond: 1 }, 10_000);
    const control = new AbortController();
    const first = iam.connect(endpoint, server.logIn);
    const stopped = iam.connect(endpoint, server.logIn, { signal: control.signal });
    const last = iam.connect(endpoint, server.logIn);
    await settle();
    control.abort();
    expect(await failureOf(stopped)).toMatchObject({ code: 'ERR_RDS_IAM_ABORTED' });
    const startedAt = world.time;
    await world.runTimersUntil(Promise.all([first, last]));
    expect(world.time - startedAt).toBeLessThan(1_200);
    expect(server.attempts).toBe(2);
  });

  test('for a next attempt does not hide why the last one failed', async () => {
    const { world, iam } = setUp({ maxConnectionsPerSecond: 1, retry: { timeoutMs: 900 } }, 0);
    const failing = iam.connect(endpoint, async () => Promise.reject(reset()));
    expect(await world.runTimersUntil(failureOf(failing))).toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      cause: { code: 'ECONNRESET' },
    });
  });
});

test('an outage is not mistaken for a limit: when it is over, all get in at once', async () => {
  const { world, iam, server } = setUp({}, 10_000);
  await iam.connect(endpoint, async () => 'once');
  let isDown = true;
  const logIn = async () => {
    if (isDown) throw reset();
    return server.logIn();
  };
  const all = times(200, () => iam.connect(endpoint, logIn));
  world.clock.after(3_000, () => {
    isDown = false;
  });
  const startedAt = world.time;
  await world.runTimersUntil(Promise.all(all));
  // The end of the outage, plus the longest wait between attempts by then.
  expect(world.time - startedAt).toBeLessThan(3_000 + 5_000);
});

test('if a server resets all connections, the error says so, also for callers whose turn did not come', async () => {
  const { world, iam } = setUp({ retry: { timeoutMs: 300, baseDelayMs: 1, maxDelayMs: 5 } }, 0);
  const all = times(30, () => failureOf(iam.connect(endpoint, () => Promise.reject(reset()))));
  for (const error of await world.runTimersUntil(Promise.all(all))) {
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', cause: { code: 'ECONNRESET' } });
  }
});

test('if a server hangs, the error says so, and not that others were ahead in the queue', async () => {
  const { world, iam } = setUp({ retry: { timeoutMs: 1_000 } }, 0);
  const hang = ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const all = times(30, () => failureOf(iam.connect(endpoint, hang)));
  for (const error of await world.runTimersUntil(Promise.all(all))) {
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', cause: { kind: 'timed-out' } });
  }
});

test('a clock that stands still or is set back delays nobody', async () => {
  const world = new World();
  const server = new Server(world, 10_000);
  let hours = 0;
  const iam = createRdsIamWith(
    { ...world.effects, timeOfDay: () => Date.parse('2026-01-01') - hours * 3_600_000 },
    { credentials, maxConnectionsPerSecond: 10 },
  );
  const connect = () => iam.connect(endpoint, server.logIn);
  const startedAt = world.time;
  await world.runTimersUntil(Promise.all(times(20, connect)));
  hours = 1;
  await world.runTimersUntil(Promise.all(times(20, connect)));
  expect(world.time - startedAt).toBeLessThan(5_000);
});

test('before the server has answered, only a few logins are under way', async () => {
  const { world, iam, server } = setUp({}, 10_000);
  const all = times(500, () => iam.connect(endpoint, server.logIn));
  await settle();
  expect(server.underWay).toBe(10);
  await world.runTimersUntil(Promise.all(all));
  expect(server.mostUnderWay).toBeGreaterThan(50);
});

describe('a limiter that processes share', () => {
  const events: { connectionsPerSecond: number }[] = [];
  const listen = (event: unknown) => void events.push(event as { connectionsPerSecond: number });
  afterEach(() => void events.splice(0));

  function limiter(reserve: ConnectionLimiter['reserve']): ConnectionLimiter {
    subscribe('rds-iam:limiter:unavailable', listen);
    onTestFinished(() => void unsubscribe('rds-iam:limiter:unavailable', listen));
    return { reserve, timeoutMs: 100, shareWhenUnavailable: 0.5 };
  }

  /** The state that Redis would keep. */
  function budget(world: World) {
    let dueMs = 0;
    return ({ connectionsPerSecond, count }: { connectionsPerSecond: number; count: number }) => {
      const at = Math.max(world.time, dueMs);
      dueMs = at + (count * 1_000) / connectionsPerSecond;
      return at - world.time;
    };
  }

  test('keeps several processes within one limit', async () => {
    const world = new World();
    const server = new Server(world, 40);
    const reserve = budget(world);
    const options = { credentials, maxConnectionsPerSecond: 40, limiter: limiter(async (request) => reserve(request)) };
    const processes = times(4, () => createRdsIamWith({ ...world.effects, random: () => world.dice() }, options));
    await world.runTimersUntil(
      Promise.all(times(200, (index) => processes[index % 4]?.connect(endpoint, server.logIn))),
    );
    expect(server.busiestSecond()).toBeLessThanOrEqual(42);
    expect(server.attempts).toBeLessThanOrEqual(1.02 * 200);
  });

  test('keeps them within it in every second, although each is sometimes late, as busy processes are', async () => {
    const world = new World();
    const openedAt: number[] = [];
    const reserve = budget(world);
    const later = (mostMs: number) => new Promise<void>((resolve) => world.clock.after(mostMs * world.dice(), resolve));
    const shared = limiter(async (request) => {
      const waitMs = reserve(request);
      await later(20);
      return waitMs;
    });
    const lateness = () => (world.dice() < 0.5 ? 0 : 300 * world.dice());
    const clock: Clock = {
      now: () => world.time,
      after: (delayMs, callback) => world.clock.after(delayMs + lateness(), callback),
    };
    const options = { credentials, retry: { timeoutMs: 60_000 }, maxConnectionsPerSecond: 40, limiter: shared };
    const processes = times(8, () => createRdsIamWith({ ...world.effects, clock }, options));
    const open = async () => {
      openedAt.push(world.time);
      await later(20);
    };
    await world.runTimersUntil(Promise.all(times(200, (index) => processes[index % 8]?.connect(endpoint, open))));
    expect(busiestSecond(openedAt)).toBeLessThanOrEqual(40);
    expect(openedAt).toHaveLength(200);
  });

  test.each<[string, ConnectionLimiter['reserve']]>([
    ['fails', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['throws', () => expect.unreachable('connect ECONNREFUSED')],
    ['does not answer', () => new Promise(() => {})],
  ])(
    'that %s is waited for no longer than its time-out, and the process keeps to its own share',
    async (_, reserve) => {
      const { world, iam, server } = setUp({ maxConnectionsPerSecond: 40, limiter: limiter(reserve) }, 10_000);
      const startedAt = world.time;
      await world.runTimersUntil(iam.connect(endpoint, server.logIn));
      expect(world.time - startedAt).toBeLessThan(110);
      expect(events[0]).toMatchObject({ connectionsPerSecond: 20, hostname: endpoint.hostname });
      await world.runTimersUntil(Promise.all(times(60, () => iam.connect(endpoint, server.logIn))));
      expect(server.busiestSecond()).toBeLessThanOrEqual(21);
    },
  );

  test('is used again when it is back', async () => {
    let isDown = true;
    const world = new World();
    const reserve = budget(world);
    const asked: number[] = [];
    const flaky = limiter(async (request) => {
      asked.push(request.count);
      if (isDown) throw new Error('down');
      return reserve(request);
    });
    const iam = createRdsIamWith(world.effects, { credentials, maxConnectionsPerSecond: 40, limiter: flaky });
    const server = new Server(world, 10_000);
    await world.runTimersUntil(Promise.all(times(10, () => iam.connect(endpoint, server.logIn))));
    expect(asked).toHaveLength(1);
    isDown = false;
    await world.runTimersUntil(Promise.all(times(60, () => iam.connect(endpoint, server.logIn))));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.every((count) => count <= 2)).toBe(true);
  });

  test('needs a limit to share', async () => {
    const { iam, server } = setUp({ limiter: limiter(async () => 0) }, 10_000);
    expect(await failureOf(iam.connect(endpoint, server.logIn))).toMatchObject({
      code: 'ERR_RDS_IAM_CONFIG',
      message: expect.stringContaining('maxConnectionsPerSecond'),
    });
  });
});

describe('"maxWaitingConnections": 0', () => {
  test('admits callers who need not wait, and refuses those who would have to', async () => {
    const { world, iam, server } = setUp({ maxWaitingConnections: 0 }, 10_000);
    const codes = times(12, () =>
      iam.connect(endpoint, server.logIn).then(
        () => 'in',
        (error: RdsIamError) => error.code,
      ),
    );
    const seen = await world.runTimersUntil(Promise.all(codes));
    expect(seen.filter((code) => code === 'in')).toHaveLength(10);
    expect(seen.filter((code) => code === 'ERR_RDS_IAM_ADMISSION')).toHaveLength(2);
  });
});

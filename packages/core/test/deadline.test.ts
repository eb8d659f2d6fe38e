import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import '../src/connect.js';
import { dialedLogin } from '../src/dialed-login.js';
import { mysql } from '../src/engines/mysql.js';
import type { RdsIamError } from '../src/errors.js';
import type { Login } from '../src/login.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith, type Effects } from '../src/rds-iam.js';
import { settle, World } from './world.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };
/** The caller hears no later than this after the deadline. */
const GRACE_MS = 100;

function setUp(options: RdsIamOptions = {}, effects: Partial<Effects> = {}) {
  const world = new World();
  const iam = createRdsIamWith({ ...world.effects, ...effects }, { credentials, ...options });
  return { world, iam };
}

const failureOf = (work: Promise<unknown>): Promise<RdsIamError> =>
  work.then(
    () => expect.unreachable('it succeeded'),
    (error: RdsIamError) => error,
  );

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const forever = () => new Promise<never>(() => {});

describe('whatever `open` does or fails to do', () => {
  test('the caller gets an answer in time', async () => {
    const { world, iam } = setUp();
    const startedAt = world.time;
    const error = await failureOf(world.runTimersUntil(iam.connect(endpoint, forever, { timeoutMs: 5_000 })));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', kind: 'timed-out' });
    expect(error.message).toContain('no connection within 5000 ms (after 5100 ms, all that "timeoutMs" allows)');
    expect(world.time - startedAt).toBeLessThanOrEqual(5_000 + GRACE_MS);
    expect(world.pendingTimers).toBe(0);
  });

  test('a caller who aborts gets an answer at once', async () => {
    const { world, iam } = setUp();
    const control = new AbortController();
    const startedAt = world.time;
    const opened = failureOf(iam.connect(endpoint, forever, { signal: control.signal }));
    await settle();
    control.abort();
    expect((await world.runTimersUntil(opened)).code).toBe('ERR_RDS_IAM_ABORTED');
    expect(world.time - startedAt).toBeLessThanOrEqual(GRACE_MS);
  });

  test('its permit is given back', async () => {
    const { world, iam } = setUp();
    const lost = Array.from({ length: 25 }, () => failureOf(iam.connect(endpoint, forever, { timeoutMs: 1_000 })));
    await world.runTimersUntil(Promise.all(lost));
    await expect(iam.connect(endpoint, async () => 'in')).resolves.toBe('in');
  });

  test('what arrives late is closed', async () => {
    for (const way of ['destroy', 'end', 'close']) {
      const { world, iam } = setUp({ retry: false });
      let arrive = (_: unknown) => {};
      let closed = 0;
      const open = () =>
        new Promise((resolve) => {
          arrive = resolve;
        });
      await failureOf(world.runTimersUntil(iam.connect(endpoint, open)));
      arrive({ [way]: () => void closed++ });
      await settle();
      expect(closed, way).toBe(1);
    }
  });

  test('what arrives late is closed as the adapter closes it', async () => {
    const { world, iam } = setUp({ retry: false });
    let arrive = (_: { socket: string }) => {};
    const open = () =>
      new Promise<{ socket: string }>((resolve) => {
        arrive = resolve;
      });
    const closed: string[] = [];
    const options = { discard: ({ socket }: { socket: string }) => void closed.push(socket) };
    await failureOf(world.runTimersUntil(iam.connect(endpoint, open, options)));
    arrive({ socket: 'late' });
    await settle();
    expect(closed).toEqual(['late']);
  });

  test('an exception that it throws synchronously is a failure like any other', async () => {
    const { iam } = setUp();
    const open = () => {
      throw new TypeError('x is not a function');
    };
    expect((await failureOf(iam.connect(endpoint, open))).code).toBe('ERR_RDS_IAM_LOGIN');
  });

  test('a source of credentials that never answers is given up', async () => {
    const { world, iam } = setUp({ credentials: forever });
    const startedAt = world.time;
    const error = await failureOf(world.runTimersUntil(iam.connect(endpoint, async () => 'in', { timeoutMs: 3_000 })));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', kind: 'timed-out', phase: 'credentials' });
    expect(world.time - startedAt).toBeLessThanOrEqual(3_000 + GRACE_MS);
  });

  test('an attempt that the deadline cuts short does not hide why the one before failed', async () => {
    // Node.js takes a timer's start and its delay in whole milliseconds.
    for (const earlyMs of [0, 1.9]) {
      const { world, iam } = setUp({ retry: { timeoutMs: 500, baseDelayMs: 990 } });
      world.earlyMs = earlyMs;
      let attempts = 0;
      const open = ({ signal }: Login) =>
        attempts++ === 0
          ? Promise.reject(refused)
          : once(signal, 'abort').then(() => Promise.reject(new Error('closed')));
      const error = await failureOf(world.runTimersUntil(iam.connect(endpoint, open)));
      expect(error, `${earlyMs} ms early`).toMatchObject({ cause: refused, attempts: 2 });
    }
  });
});

describe('a stream of the user', () => {
  const loginWith = (signal: AbortSignal) => ({ signal, reached: () => {} }) as unknown as Login;

  test('that never comes is not waited for', async () => {
    const control = new AbortController();
    const opened = dialedLogin(loginWith(control.signal), forever, forever);
    control.abort(new Error('out of time'));
    await expect(opened).rejects.toThrow('out of time');
  });

  test('that comes too late is closed', async () => {
    const control = new AbortController();
    let arrive = (_: Duplex) => {};
    const dial = () =>
      new Promise<Duplex>((resolve) => {
        arrive = resolve;
      });
    const opened = dialedLogin(loginWith(control.signal), dial, forever);
    control.abort(new Error('out of time'));
    await expect(opened).rejects.toThrow('out of time');
    const late = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    arrive(late);
    await settle();
    expect(late.destroyed).toBe(true);
  });

  test('whose login never ends is closed', async () => {
    const control = new AbortController();
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const opened = dialedLogin(loginWith(control.signal), () => socket, forever);
    await settle();
    control.abort(new Error('out of time'));
    await expect(opened).rejects.toThrow('out of time');
    expect(socket.destroyed).toBe(true);
  });
});

describe('the time-out of each phase names it', () => {
  const said = async (effects: Partial<Effects>, hostname: string, open: (login: Login) => Promise<unknown>) => {
    const { world, iam } = setUp({}, effects);
    const at = { ...endpoint, hostname };
    return failureOf(world.runTimersUntil(iam.connect(at, open, { timeoutMs: 2_000, engine: mysql })));
  };

  test('the DNS', async () => {
    const error = await said({ resolveCname: forever }, 'db.example.com', forever);
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_ENDPOINT', kind: 'timed-out', phase: 'endpoint' });
    expect(error.message).toMatch(/the CNAME look-up of "db.example.com" got no answer within 2000 ms/);
    expect(error.message).not.toContain('security group');
  });

  test('the network', async () => {
    const error = await said({}, endpoint.hostname, forever);
    expect(error).toMatchObject({ phase: 'dial' });
    expect(error.message).toMatch(/no connection within 2000 ms.*security group/s);
  });

  test('TLS', async () => {
    const error = await said({}, endpoint.hostname, async ({ reached }) => {
      reached('tls');
      return forever();
    });
    expect(error).toMatchObject({ phase: 'tls' });
    expect(error.message).toMatch(/no TLS within 2000 ms/);
    expect(error.message).not.toContain('security group');
  });

  test('the login', async () => {
    const error = await said({}, endpoint.hostname, async ({ reached }) => {
      reached('login');
      return forever();
    });
    expect(error).toMatchObject({ phase: 'login' });
    expect(error.message).toMatch(/no answer to the login within 2000 ms/);
    expect(error.message).not.toContain('security group');
  });
});

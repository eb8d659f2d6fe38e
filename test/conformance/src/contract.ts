import dns from 'node:dns';
import { connect, type Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createRdsIam, type Dial, type DialedEndpoint, type RdsIam, type RdsIamOptions } from '@rds-iam/core';
import type { EmulatorOptions, Faults } from '@rds-iam/emulator';
import { expectNoSecrets, startDns } from '@rds-iam/test-servers';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { count } from './events.js';
import { describeLogins, type Place } from './logins.js';
import { loopback, socketThatLooksUp } from './sockets.js';
import { CREDENTIALS, type Engine, RDS_HOSTNAME, type Stack, startStack } from './stack.js';
import { watchTlsSockets } from './tls-sockets.js';
import { describeTokenSafety } from './token-safety.js';

/** A test's configuration, which a subject translates into the options of its framework. */
export interface SubjectOptions {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly iam: RdsIamOptions | RdsIam;
  /** The maximum number of physical connections. */
  readonly max?: number;
  /** After how many checkouts the pool closes a connection, if the framework has such an option. */
  readonly maxUses?: number;
  readonly password?: string;
  /** Uses the framework's own option for turning off TLS. */
  readonly withoutTls?: boolean;
  /** TLS options, in the place where the framework expects them. */
  readonly tls?: ConnectionOptions;
  /** Whether to give host, port, user and database as a connection URL. */
  readonly asUrl?: boolean;
  /** Makes the sockets. */
  readonly socket?: () => Socket;
}

export type Row = Readonly<Record<string, unknown>>;

export interface SubjectPool {
  /** Runs a query on any connection. */
  query(sql: string): Promise<readonly Row[]>;
  /** Checks out a connection, to be returned with `release` or closed with `destroy`. */
  checkout(): Promise<SubjectSession>;
  /** Runs work in one of the framework's transactions, which is committed when it resolves and rolled back when it rejects. */
  transaction<T>(work: (query: (sql: string) => Promise<readonly Row[]>) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export interface SubjectSession {
  query(sql: string): Promise<readonly Row[]>;
  release(): void;
  destroy(): void;
}

/** A package under test. */
export interface Subject {
  readonly name: string;
  readonly engine: Engine;
  /** Makes one of the framework's pools. Wrong options are refused here or at the first query. */
  createPool(options: SubjectOptions): SubjectPool;
  /** Finds our error in the framework's, where its users would look for it. */
  diagnosisOf?(error: unknown): unknown;
  /** How many connections the framework opens by itself before those of its pool. @defaultValue 0 */
  readonly ownConnections?: number;
}

const MINUTE = 60_000;
const ONE = 'select 1 as one';

/** The contract that every package keeps, on a real database and over real TLS. */
export function describeConformance(subject: Subject): void {
  describeTokenSafety(subject);
  describeLogins(subject, () => emulated(subject.engine));

  describe(`${subject.name} keeps the contract:`, () => {
    let stack: Stack;
    const pools: SubjectPool[] = [];
    beforeAll(async () => {
      stack = await startStack(subject.engine);
    });
    afterEach(async () => {
      vi.useRealTimers();
      stack.emulator.setFaults({});
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
      await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0), 10_000);
    });
    afterAll(() => stack[Symbol.asyncDispose]());

    const optionsOf = ({ emulator, username, database, iam }: Stack = stack): SubjectOptions => ({
      hostname: 'localhost',
      port: emulator.port,
      username,
      database,
      iam,
    });
    const newPool = (options: Partial<SubjectOptions> = {}) => {
      const pool = subject.createPool({ ...optionsOf(), ...options });
      pools.push(pool);
      return pool;
    };
    const failureOf = async (options: Partial<SubjectOptions> = {}): Promise<unknown> => {
      try {
        await newPool(options).query(ONE);
      } catch (error) {
        return subject.diagnosisOf ? subject.diagnosisOf(error) : error;
      }
      return expect.unreachable('the login succeeded');
    };
    const anotherStack = async (options: Partial<EmulatorOptions>) => {
      const another = await startStack(subject.engine, options);
      onTestFinished(() => another[Symbol.asyncDispose]());
      return another;
    };

    test('a refused token is dropped and the next one succeeds', async () => {
      const signed = count('rds-iam:token:signed');
      stack.emulator.setFaults({ clockOffsetMs: 60 * MINUTE });
      const query = newPool({
        iam: { ...stack.iam, retry: { baseDelayMs: 20, maxDelayMs: 20, patienceMs: 30_000 } },
      }).query(ONE);
      await vi.waitFor(() => expect(signed()).toBeGreaterThan(1), { interval: 1 });
      stack.emulator.setFaults({});
      expect(await query).toHaveLength(1);
    });

    test('tokens of session credentials, of two kilobytes and more, work', async () => {
      const credentials = { ...CREDENTIALS, accessKeyId: 'ASIAEXAMPLE', sessionToken: 'IQoJb3JpZ2lu/+='.repeat(100) };
      const session = await anotherStack({ accessKeys: [credentials] });
      const iam = createRdsIam({ ...session.iam, credentials });
      expect(await newPool({ ...optionsOf(session), iam }).query(ONE)).toHaveLength(1);
      const { token } = await iam.getToken(optionsOf(session));
      expect(token.length).toBeGreaterThan(2_000);
    });

    test.each<[string, Faults]>([
      ['of another CA', { tls: 'other-ca' }],
      ['with another name', { tls: 'wrong-name' }],
      ['whose certificate has expired', { tls: 'expired' }],
      ['without TLS', { tls: 'off' }],
    ])('a server %s is refused at the first try, and gets no token', async (_, faults) => {
      stack.emulator.setFaults(faults);
      const { accepted, refused } = stack.emulator.stats;
      expect(await failureOf()).toMatchObject({ code: 'ERR_RDS_IAM_TLS', attempts: 1 });
      expect(stack.emulator.stats, 'no password got there, good or bad').toMatchObject({ accepted, refused });
    });

    test('with IAM off, it is the plain driver', async () => {
      const { hostname, port } = stack.upstream;
      const pool = newPool({ hostname, port, withoutTls: true, password: '', iam: { enabled: false } });
      expect(await pool.query(ONE)).toHaveLength(1);
    });

    test.each<[string, Partial<SubjectOptions>, RegExp]>([
      ['a static password beside IAM', { password: 'hunter2' }, /password/],
      ['the switch that turns TLS off', { withoutTls: true }, /ssl/],
      ['no host name', { hostname: '' }, /host/],
      ['an invalid port', { port: 70_000 }, /port/],
    ])('%s is refused by name', async (_, options, name) => {
      const { connections } = stack.emulator.stats;
      const error = await failureOf(options);
      expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(name) });
      expect(String(error)).not.toContain('hunter2');
      expect(stack.emulator.stats.connections, 'nothing was dialed').toBe(connections);
    });

    test('an RDS endpoint is dialed, signed for and verified by its name, which contains the region', async () => {
      const rds = await anotherStack({ hostnames: [RDS_HOSTNAME] });
      const { region: _, ...iam } = rds.iam as RdsIamOptions;
      const pool = newPool({
        ...optionsOf(rds),
        hostname: RDS_HOSTNAME,
        iam,
        max: 1,
        socket: () => socketThatLooksUp(loopback),
      });
      const sockets = watchTlsSockets(rds.emulator.port);
      const session = await pool.checkout();
      expect(sockets().at(-1)).toMatchObject({ authorized: true, servername: RDS_HOSTNAME });
      session.release();
    });

    test('`dial` connects elsewhere, and everything else is about the endpoint, which need not be in DNS', async () => {
      const rds = await anotherStack({ hostnames: [RDS_HOSTNAME] });
      const { region: _, ...iam } = rds.iam as RdsIamOptions;
      const { port } = rds.emulator;
      const asked: DialedEndpoint[] = [];
      const ways: Dial[] = [
        `127.0.0.1:${port}`,
        { hostname: '127.0.0.1', port },
        (endpoint) => {
          asked.push(endpoint);
          return connect(port, '127.0.0.1');
        },
      ];
      for (const dial of ways) {
        const sockets = watchTlsSockets(port);
        const pool = newPool({ ...optionsOf(rds), hostname: RDS_HOSTNAME, max: 1, iam: { ...iam, dial } });
        expect(await pool.query(ONE)).toHaveLength(1);
        expect(sockets().at(-1)).toMatchObject({ authorized: true, servername: RDS_HOSTNAME });
      }
      expect(asked[0]).toEqual({ hostname: RDS_HOSTNAME, port });
      expect(
        await failureOf({ ...optionsOf(rds), hostname: RDS_HOSTNAME, iam: { ...iam, dial: '127.0.0.1' } }),
      ).toMatchObject({
        code: 'ERR_RDS_IAM_CONFIG',
        message: expect.stringContaining('"dial" cannot be read: give host and port'),
      });
    });

    test('a custom name is followed again for each connection, to the endpoint that it leads to', async () => {
      const other = 'standby.abc123.eu-west-1.rds.amazonaws.com';
      const custom = 'db.shop.example';
      const rds = await anotherStack({ hostnames: [RDS_HOSTNAME, other] });
      const server = await startDns();
      const servers = dns.getServers();
      dns.setServers([server.address]);
      onTestFinished(async () => {
        dns.setServers(servers);
        await server.close();
      });
      for (const name of [RDS_HOSTNAME, other]) server.a(name, '127.0.0.1');
      const pool = newPool({
        ...optionsOf(rds),
        hostname: custom,
        // A pool may open all its connections at once, so this one opens its next when the first is gone.
        max: 1,
        socket: () => socketThatLooksUp(server.lookup),
      });
      server.cname(custom, RDS_HOSTNAME);
      const sockets = watchTlsSockets(rds.emulator.port);
      const first = await pool.checkout();
      const [before] = sockets().slice(-1);
      server.cname(custom, other);
      first.destroy();
      expect(await pool.query(ONE)).toHaveLength(1);
      const [after] = sockets().slice(-1);
      expect([before, after].map((socket) => socket && nameAskedFor(socket))).toEqual([RDS_HOSTNAME, other]);
      expect(rds.emulator.stats.distinctTokens).toBe(2);
    });

    test('throttled logins are retried, unnoticed, until the server accepts them', async () => {
      const pool = newPool({ max: 1 });
      (await pool.checkout()).destroy();
      stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
      const before = stack.emulator.stats.refused.throttled;
      const query = pool.query(ONE);
      await vi.waitFor(() => expect(stack.emulator.stats.refused.throttled - before).toBeGreaterThan(3), 10_000);
      stack.emulator.setFaults({});
      expect(await query).toHaveLength(1);
      await vi.waitFor(async () => expect(await stack.sessions()).toBe(1), 10_000);
    });

    test('connections that are reset during the login are retried', async () => {
      stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
      const before = stack.emulator.stats.connections;
      const query = newPool().query(ONE);
      await vi.waitFor(() => expect(stack.emulator.stats.connections - before).toBeGreaterThan(2), 10_000);
      stack.emulator.setFaults({});
      expect(await query).toHaveLength(1);
    });

    test('a failed login leaves no session, and its slot in the pool is free for the next', async () => {
      const pool = newPool({ max: 1, iam: { ...stack.iam, retry: false } });
      stack.emulator.setFaults({ clockOffsetMs: 60 * MINUTE });
      for (let count = 0; count < 3; count++) await expect(pool.query(ONE)).rejects.toThrow();
      await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
      expect(await stack.sessions()).toBe(0);
      stack.emulator.setFaults({});
      expect(await pool.query(ONE)).toHaveLength(1);
    });

    test("an error has its code, the endpoint, the user and the driver's error, and no secret", async () => {
      stack.emulator.setFaults({ clockOffsetMs: 60 * MINUTE });
      const error = await failureOf();
      expect(error).toMatchObject({
        name: 'RdsIamError',
        code: 'ERR_RDS_IAM_REFUSED',
        hostname: 'localhost',
        port: stack.emulator.port,
        username: stack.username,
        attempts: expect.any(Number),
        cause: { code: expect.any(String), message: expect.any(String) },
      });
      expectNoSecrets(error, [CREDENTIALS.secretAccessKey]);
    });
  });
}

/** The emulator as a place to log in to, where tests control the time. */
async function emulated(engine: Engine): Promise<Place> {
  const stack = await startStack(engine);
  const { emulator, username, database, iam } = stack;
  return {
    hostname: 'localhost',
    port: emulator.port,
    username,
    database,
    iam,
    credentials: async () => CREDENTIALS,
    sessions: stack.sessions,
    // The emulator only asks for a token over TLS; its own tests show that.
    expectEncrypted: async () => expect(emulator.stats.accepted).toBeGreaterThan(0),
    maySpendLifetimes: true,
    async pass(durationMs) {
      vi.useFakeTimers({ toFake: ['Date'] });
      vi.setSystemTime(Date.now() + durationMs);
    },
    async [Symbol.asyncDispose]() {
      // The server has received the end; closing the socket takes another round trip.
      await vi.waitFor(() => expect(emulator.stats.open, 'no connection outlives its pool').toBe(0), 5_000);
      await stack[Symbol.asyncDispose]();
    },
  };
}

/** The name that a client asked for; @types/node only has it for servers' sockets. */
function nameAskedFor(socket: TLSSocket): unknown {
  return (socket as { readonly servername?: unknown }).servername;
}

import { createRdsIam, type RdsIamEvents, type RdsIamOptions } from '@rds-iam/core';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { listen } from './events.js';
import { hostileServers, PART_OF_TOKEN, startWithTls, TOKEN } from './hostile-servers.js';
import { CREDENTIALS, type Engine, REGION, type Stack, startStack } from './stack.js';
import { verifyNothing } from './tls-sockets.js';

/** A package for a driver, with every way to use it. */
export interface Driver {
  readonly engine: Engine;
  /** The ways to open a physical connection. @returns the error of a login with these options, or undefined */
  readonly ways: Readonly<Record<string, (options: object) => Promise<unknown>>>;
  /** The ways to name a server at a port on `localhost`. */
  readonly addresses: Readonly<Record<string, (port: number) => object>>;
  /** Environment variables that the driver reads. */
  readonly environments?: readonly Readonly<Record<string, string>>[];
  /** Logs in, and returns the objects that a program keeps and might print. */
  hold(options: object): Held;
}

interface Held extends AsyncDisposable {
  readonly objects: readonly unknown[];
  /** The error of each login. */
  readonly outcomes: Promise<readonly unknown[]>;
}

const EVENTS = [
  'rds-iam:token:signed',
  'rds-iam:connection:admitted',
  'rds-iam:connection:attempt-failed',
  'rds-iam:connection:opened',
  'rds-iam:connection:gave-up',
] as const satisfies readonly (keyof RdsIamEvents)[];

/** Checks for every way into a driver what the conformance suite checks for pools, and that no secret can be seen anywhere. */
export function describeDriverSafety({ engine, ways, addresses, environments = [], hold }: Driver): void {
  const surroundings = [{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, ...environments].map(
    (variables): [string, Readonly<Record<string, string>>] => [
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}`)
        .join() || 'nothing special in the environment',
      variables,
    ],
  );
  const environment = (variables: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
  };

  describe('a token never goes out on a socket that is not encrypted to a verified peer', () => {
    let authority: CertificateAuthority;
    beforeAll(async () => {
      authority = await createCertificateAuthority();
    });
    const iamFor = (retry: RdsIamOptions['retry']) => ({
      ...{ region: REGION, credentials: CREDENTIALS, ca: authority.ca, retry },
    });

    describe.each(Object.entries(hostileServers(engine)))('to a server that %s', (_, { start, inClear, error }) => {
      test.each(surroundings)('with %s', async (_, variables) => {
        environment(variables);
        await using server = await start(authority);
        // One byte in clear is not an answer to a TLS handshake: clients that begin with one wait for more.
        const isMute = inClear && variables['PGSSLNEGOTIATION'] === 'direct';
        const iam = iamFor({ timeoutMs: isMute ? 100 : 5_000, baseDelayMs: 1, maxDelayMs: 1, patienceMs: 0 });
        for (const [address, options] of Object.entries(addresses)) {
          for (const [way, logIn] of Object.entries(ways)) {
            const outcome = await logIn({ user: 'app', ...options(server.port), iam });
            expect(outcome, `${way} with ${address}`).toMatchObject({ name: 'RdsIamError', ...(isMute ? {} : error) });
          }
        }
        // MySQL servers send first, and a client that does not accept that sends nothing.
        if (engine === 'postgres') await expect.poll(() => server.received().length).toBeGreaterThan(0);
        expect(server.received()).not.toMatch(PART_OF_TOKEN);
      });
    });

    test('not even if the driver verifies nothing', async () => {
      const connections = verifyNothing();
      for (const certificate of [
        await (await createCertificateAuthority()).issue({ hostnames: ['localhost'] }),
        await authority.issue({ hostnames: ['other.example.com'] }),
      ]) {
        await using server = await startWithTls[engine](certificate);
        for (const [way, logIn] of Object.entries(ways)) {
          const options = { user: 'app', host: 'localhost', port: server.port, iam: iamFor({}) };
          expect(await logIn(options), way).toMatchObject({
            ...{ code: 'ERR_RDS_IAM_TLS', message: expect.stringContaining('was not sent') },
          });
        }
        expect(server.received()).not.toMatch(PART_OF_TOKEN);
        expect(server.received()).toContain(engine === 'postgres' ? 'user\0app' : 'app');
      }
      expect(connections()).toBeGreaterThan(0);
    });

    // Without this, the tests above would pass for a client that never sends anything.
    describe.each(surroundings)('and the recording server would have seen it with %s', (_, variables) => {
      test.each(Object.entries(ways))('by %s', async (_, logIn) => {
        environment(variables);
        let outcome: Promise<unknown>;
        {
          await using server = await startWithTls[engine](await authority.issue({ hostnames: ['localhost'] }));
          outcome = logIn({ user: 'app', host: 'localhost', port: server.port, iam: iamFor(false) });
          await expect.poll(() => server.received(), { timeout: 10_000 }).toMatch(TOKEN);
        }
        expect(await outcome).toMatchObject({ name: 'RdsIamError' });
      });
    });
  });

  describe('no secret is in an error, a log, an event, or what inspect and JSON show', () => {
    const credentials = { ...CREDENTIALS, accessKeyId: 'ASIAEXAMPLE', sessionToken: 'IQoJb3JpZ2luX2VjEJrSESSIONTOKEN' };
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack(engine, { accessKeys: [credentials] });
    });
    afterAll(() => stack[Symbol.asyncDispose]());

    test.each([
      ['that works', {}, undefined],
      ['that is refused', { clockOffsetMs: 3_600_000 }, 'ERR_RDS_IAM_REFUSED'],
      [
        'that is reset',
        { throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } },
        'ERR_RDS_IAM_UNREACHABLE',
      ],
      ['to a server with another CA', { tls: 'other-ca' }, 'ERR_RDS_IAM_TLS'],
      ['to a server without TLS', { tls: 'off' }, 'ERR_RDS_IAM_TLS'],
      ['that hangs after the password', { hang: 'after-password' }, 'ERR_RDS_IAM_UNREACHABLE'],
    ] as const)('for a login %s', async (_, faults, code) => {
      stack.emulator.setFaults(faults);
      const events: unknown[] = [];
      for (const name of EVENTS) listen(name, (event) => events.push(event));
      const iam = createRdsIam({
        ...stack.iam,
        credentials,
        // Only logins that are retried until the deadline should reach it, however busy the machine is.
        retry: {
          timeoutMs: code === 'ERR_RDS_IAM_UNREACHABLE' ? 300 : 20_000,
          baseDelayMs: 1,
          maxDelayMs: 5,
          patienceMs: 0,
        },
      });
      const options = { ...stack.config, iam };
      await using held = hold(options);
      const outcomes = [
        ...(await held.outcomes),
        ...(await Promise.all(Object.values(ways).map((logIn) => logIn(options)))),
      ];
      if (code) for (const outcome of outcomes) expect(outcome).toMatchObject({ code });
      expect(events.length).toBeGreaterThan(1);

      const secrets = [credentials.secretAccessKey, credentials.sessionToken];
      for (const value of [iam, stack.emulator, ...held.objects, ...outcomes, ...events])
        expectNoSecrets(value, secrets);
    });
  });
}

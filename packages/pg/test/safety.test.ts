import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import tls from 'node:tls';
import { inspect } from 'node:util';
import { type PostgresManner, startRecordingPostgres } from '@rds-iam/conformance';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Client, createRdsIam, Pool } from '../src/index.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority();
});

describe('a token never goes out on a socket that is not encrypted to a verified peer', () => {
  const manners: [string, () => Promise<PostgresManner>, string][] = [
    ['has no TLS', async () => 'has no TLS', 'ERR_RDS_IAM_TLS'],
    ['says yes to TLS and goes on in clear', async () => 'says yes to TLS and goes on in clear', 'ERR_RDS_IAM_TLS'],
    [
      'asks for the password before anything else',
      async () => 'asks for the password before anything else',
      'ERR_RDS_IAM_TLS',
    ],
    [
      'has a certificate of another CA',
      async () => (await createCertificateAuthority()).issue({ hostnames: ['localhost'] }),
      'ERR_RDS_IAM_TLS',
    ],
    [
      'has a certificate for another name',
      () => authority.issue({ hostnames: ['other.example.com'] }),
      'ERR_RDS_IAM_TLS',
    ],
    [
      'has an expired certificate',
      () =>
        authority.issue({
          hostnames: ['localhost'],
          notBefore: new Date('2020-01-01'),
          notAfter: new Date('2020-02-01'),
        }),
      'ERR_RDS_IAM_TLS',
    ],
  ];
  const surroundings: [string, Record<string, string>][] = [
    ['nothing special in the environment', {}],
    ['NODE_TLS_REJECT_UNAUTHORIZED=0', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
    ['PGSSLMODE=disable', { PGSSLMODE: 'disable' }],
    ['PGSSLMODE=no-verify', { PGSSLMODE: 'no-verify' }],
    ['PGSSLNEGOTIATION=direct', { PGSSLNEGOTIATION: 'direct' }],
  ];
  // One byte in clear is no answer to a TLS handshake: those who begin with one wait for more.
  const isMute = (environment: Record<string, string>, manner: PostgresManner) =>
    environment['PGSSLNEGOTIATION'] === 'direct' && typeof manner === 'string';
  const ways: [string, (port: number) => ConstructorParameters<typeof Pool>[0]][] = [
    ['fields', (port) => ({ host: 'localhost', port })],
    ['ssl: true', (port) => ({ host: 'localhost', port, ssl: true })],
    ['an address', (port) => ({ host: '127.0.0.1', port, ssl: { servername: 'localhost' } })],
    ['a URL', (port) => ({ connectionString: `postgres://app@localhost:${port}/db?sslmode=require` })],
  ];

  describe.each(manners)('to a server that %s', (_, prepare, code) => {
    test.each(surroundings)('with %s', async (_, environment) => {
      const manner = await prepare();
      await using server = await startRecordingPostgres(manner);
      for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
      try {
        for (const [way, config] of ways) {
          for (const connect of [connectClient, connectPool]) {
            const iam = {
              region: REGION,
              credentials: CREDENTIALS,
              ca: authority.ca,
              retry: {
                timeoutMs: isMute(environment, manner) ? 100 : 5_000,
                baseDelayMs: 1,
                maxDelayMs: 1,
                maxRefusals: 2,
              },
            };
            const error = await connect({ user: 'app', ...config(server.port), iam } as never);
            expect(error, way).toMatchObject({ name: 'RdsIamError' });
            if (!isMute(environment, manner)) expect(error, way).toMatchObject({ code });
          }
        }
      } finally {
        vi.unstubAllEnvs();
      }
      const received = server.received();
      expect(received.length).toBeGreaterThan(0);
      expect(received).not.toMatch(/X-Amz|Action=connect/);
    });
  });

  test('not even if the driver verifies nothing', async () => {
    const { connect } = tls;
    const verifyNothing = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
    const driver = vi
      .spyOn(tls, 'connect')
      .mockImplementation(((options: tls.ConnectionOptions) =>
        connect({ ...options, ...verifyNothing })) as typeof connect);
    try {
      for (const certificate of [
        await (await createCertificateAuthority()).issue({ hostnames: ['localhost'] }),
        await authority.issue({ hostnames: ['other.example.com'] }),
      ]) {
        await using server = await startRecordingPostgres(certificate);
        const iam = { region: REGION, credentials: CREDENTIALS, ca: authority.ca };
        const error = await connectPool({ user: 'app', host: 'localhost', port: server.port, iam });
        expect(error).toMatchObject({ code: 'ERR_RDS_IAM_TLS', message: expect.stringContaining('was not sent') });
        expect(server.received()).not.toMatch(/X-Amz|Action=connect/);
        expect(server.received()).toContain('user\0app');
      }
      expect(driver).toHaveBeenCalled();
    } finally {
      driver.mockRestore();
    }
  });

  // Without this, the tests above would pass for a client that never sends anything.
  test.each(surroundings)('and the recording server would have seen it with %s', async (_, environment) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    await using server = await startRecordingPostgres(await authority.issue({ hostnames: ['localhost'] }));
    const iam = { region: REGION, credentials: CREDENTIALS, ca: authority.ca, retry: false as const };
    await connectClient({ user: 'app', host: 'localhost', port: server.port, iam, connectionTimeoutMillis: 500 });
    expect(server.received()).toMatch(/Action=connect.*X-Amz-Signature=[0-9a-f]{64}/);
  });
});

describe('no secret is in an error, a log, an event, or what inspect and JSON show', () => {
  const credentials = { ...CREDENTIALS, accessKeyId: 'ASIAEXAMPLE', sessionToken: 'IQoJb3JpZ2luX2VjEJrSESSIONTOKEN' };
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ accessKeys: [credentials] });
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
    ['to a server of another CA', { tls: 'other-ca' }, 'ERR_RDS_IAM_TLS'],
    ['to a server without TLS', { tls: 'off' }, 'ERR_RDS_IAM_TLS'],
    ['that hangs after the password', { hang: 'after-password' }, 'ERR_RDS_IAM_UNREACHABLE'],
  ] as const)('for a login %s', async (_, faults, code) => {
    stack.emulator.setFaults(faults);
    const events: unknown[] = [];
    const logs: unknown[] = [];
    const listen = (event: unknown) => events.push(event);
    const channels = [
      'token:signed',
      'connection:admitted',
      'connection:attempt-failed',
      'connection:opened',
      'connection:gave-up',
    ];
    for (const channel of channels) subscribe(`rds-iam:${channel}`, listen);
    const iam = createRdsIam({
      ...stack.iam,
      credentials,
      // Only what goes on until the deadline should come to it, however busy the machine.
      retry: {
        timeoutMs: code === 'ERR_RDS_IAM_UNREACHABLE' ? 300 : 20_000,
        baseDelayMs: 1,
        maxDelayMs: 5,
        maxRefusals: 2,
      },
    });
    const pool = new Pool({ ...stack.config, iam, log: (...messages: unknown[]) => logs.push(messages) });
    const client = new Client({ ...stack.config, iam });
    const outcomes = await Promise.all(
      [pool.query('select 1'), client.connect()].map((done) => Promise.resolve(done).catch((error) => error)),
    );
    if (code) expect(outcomes).toMatchObject([{ code }, { code }]);
    for (const channel of channels) unsubscribe(`rds-iam:${channel}`, listen);
    expect(events.length).toBeGreaterThan(1);

    const shown = [pool, client, iam, outcomes, events, logs, stack.emulator]
      .flatMap((value) => [inspect(value, { depth: 12, maxStringLength: null, maxArrayLength: null }), json(value)])
      .concat(outcomes.map((outcome) => String((outcome as Error)?.stack)))
      .join('\n');
    for (const secret of [credentials.secretAccessKey, credentials.sessionToken]) expect(shown).not.toContain(secret);
    expect(shown).not.toMatch(/X-Amz-Signature=[0-9a-f]/);
    await pool.end();
    await client.end();
  });
});

async function connectClient(config: ConstructorParameters<typeof Client>[0]): Promise<unknown> {
  const client = new Client(config);
  return client.connect().then(
    () => client.end(),
    (error: unknown) => error,
  );
}

async function connectPool(config: ConstructorParameters<typeof Pool>[0]): Promise<unknown> {
  const pool = new Pool(config);
  const outcome = await pool.query('select 1').catch((error: unknown) => error);
  await pool.end();
  return outcome;
}

function json(value: unknown): string {
  const seen = new WeakSet<object>();
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    if (typeof inner !== 'object' || inner === null) return inner;
    if (seen.has(inner)) return '[seen]';
    seen.add(inner);
    return inner;
  });
}

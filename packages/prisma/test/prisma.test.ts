import { CREDENTIALS, type Engine, type Stack, startStack } from '@rds-iam/conformance';
import { expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Client, type ClientClass, generateClient, type Provider } from './client.js';
import { adapterOf, whereOf } from './options.js';
import { diagnosisOf } from './subject.js';

const ONE = 'select 1 as one';
const HOUR = 3_600_000;

describe.each<[Provider, Engine]>([
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
])('%s', (provider, engine) => {
  let PrismaClient: ClientClass;
  let stack: Stack;
  const clients: Client[] = [];
  beforeAll(async () => {
    PrismaClient = await generateClient(provider);
    stack = await startStack(engine);
  });
  afterEach(async () => {
    stack.emulator.setFaults({});
    await Promise.all(clients.splice(0).map((prisma) => prisma.$disconnect()));
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const newClient = (options: object = {}, adapterOptions?: object) => {
    const adapter = adapterOf(provider, { ...whereOf(stack), ...options }, adapterOptions);
    const prisma = new PrismaClient({ adapter });
    clients.push(prisma);
    return prisma;
  };
  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => expect.unreachable('it succeeded'),
      (error: unknown) => error,
    );

  test('a client that was disconnected connects again, with a new pool', async () => {
    const prisma = newClient();
    await prisma.$queryRawUnsafe(ONE);
    await prisma.$disconnect();
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    expect(await prisma.$queryRawUnsafe(ONE)).toHaveLength(1);
    await prisma.$disconnect();
    await prisma.$connect();
    expect(await prisma.$queryRawUnsafe(ONE)).toHaveLength(1);
  });

  test('an unused adapter opens no connection', async () => {
    adapterOf(provider, whereOf(stack));
    await newClient().$queryRawUnsafe(ONE);
    await Promise.all(clients.splice(0).map((prisma) => prisma.$disconnect()));
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
  });

  test('one adapter serves several clients', async () => {
    const adapter = adapterOf(provider, whereOf(stack));
    const [first, second] = [new PrismaClient({ adapter }), new PrismaClient({ adapter })];
    clients.push(first, second);
    await first.$queryRawUnsafe(ONE);
    await second.$queryRawUnsafe(ONE);
    clients.splice(clients.indexOf(first), 1);
    await first.$disconnect();
    expect(await second.$queryRawUnsafe(ONE)).toHaveLength(1);
  });

  test('a client whose first login failed logs in with the next query', async () => {
    const prisma = newClient();
    stack.emulator.setFaults({ clockOffsetMs: HOUR });
    await expect(prisma.$queryRawUnsafe(ONE)).rejects.toThrow();
    stack.emulator.setFaults({});
    expect(await prisma.$queryRawUnsafe(ONE)).toHaveLength(1);
  });

  test('a failed login is given up once', async () => {
    const prisma = newClient({ iam: { ...stack.iam, retry: false } });
    stack.emulator.setFaults({ clockOffsetMs: HOUR });
    const { connections } = stack.emulator.stats;
    await expect(prisma.$queryRawUnsafe(ONE)).rejects.toThrow();
    expect(stack.emulator.stats.connections - connections).toBe(1);
  });

  describe('the error of a login', () => {
    const EXPECTED = { code: 'ERR_RDS_IAM_REFUSED', message: expect.stringContaining('login refused by localhost') };
    const ways: Record<string, (prisma: Client) => Promise<unknown>> = {
      'a raw query': (prisma) => prisma.$queryRawUnsafe(ONE),
      'a raw statement': (prisma) => prisma.$executeRawUnsafe(ONE),
      'a query of a model': (prisma) => prisma.order.findMany(),
      'a list of queries in a transaction': (prisma) => prisma.$transaction([prisma.order.findMany()]),
      'an interactive transaction': (prisma) => prisma.$transaction((tx) => tx.order.findMany()),
    };

    test.each(Object.entries(ways))('has its code, and the diagnosis, in %s', async (_, query) => {
      stack.emulator.setFaults({ clockOffsetMs: HOUR });
      const error = await failure(query(newClient()));
      expect(error).toMatchObject(EXPECTED);
      const diagnosis = diagnosisOf(error);
      expect(diagnosis).toMatchObject({
        name: 'RdsIamError',
        attempts: expect.any(Number),
        hostname: 'localhost',
        ...EXPECTED,
      });
      expect((diagnosis as Error).cause).toMatchObject({ code: expect.any(String) });
      expectNoSecrets(error, [CREDENTIALS.secretAccessKey]);
      expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    });

    test('also has the diagnosis when the time to connect has run out', async () => {
      stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
      const prisma = newClient(provider === 'mysql' ? { connectTimeout: 300 } : { connectionTimeoutMillis: 300 });
      expect(diagnosisOf(await failure(prisma.$queryRawUnsafe(ONE)))).toMatchObject({
        code: 'ERR_RDS_IAM_UNREACHABLE',
      });
    });
  });

  test('an error of a query is Prisma’s, as without IAM', async () => {
    const error = await failure(newClient().order.findMany());
    expect(error).toMatchObject({ name: 'PrismaClientKnownRequestError', code: 'P2021' });
  });

  test('with IAM off, it is the plain adapter with a connection string and its password', async () => {
    const { hostname, port } = stack.upstream;
    const connectionString = `${provider}://${stack.username}:secret@${hostname}:${port}/${stack.database}?acquireTimeout=200`;
    const adapter = adapterOf(provider, { connectionString, iam: { enabled: false } });
    const prisma = new PrismaClient({ adapter });
    clients.push(prisma);
    // The user has no password in MySQL, so a right password makes no difference, but a wrong one does.
    if (provider === 'mysql') await expect(prisma.$queryRawUnsafe(ONE)).rejects.toThrow();
    else expect(await prisma.$queryRawUnsafe(ONE)).toHaveLength(1);
  });

  test.each([
    [
      'a password in the connection string',
      { connectionString: `${provider}://app:hunter2@db.example.com/shop` },
      /password/,
    ],
    [
      'a connection string without TLS',
      { connectionString: `${provider}://app@db.example.com/shop?sslmode=disable` },
      /sslmode/,
    ],
    ['no host', { host: '' }, /host/],
    ['a password', { host: 'db.example.com', user: 'app', password: 'hunter2' }, /"password"/],
    ['ssl off', { host: 'db.example.com', user: 'app', ssl: false }, /"ssl"/],
    ['an unknown IAM option', { host: 'db.example.com', user: 'app', iam: { regoin: 'x' } }, /"regoin"/],
  ])('%s is refused when the adapter is made', (_, options, message) => {
    const make = () => adapterOf(provider, options);
    expect(make).toThrow(
      expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) }),
    );
    expect(make).not.toThrow(/hunter2/);
  });
});

describe('postgresql', () => {
  test("the adapter's own options pass through: the schema", async () => {
    const PrismaClient = await generateClient('postgresql');
    await using stack = await startStack('postgres');
    const adapter = adapterOf('postgresql', whereOf(stack), { schema: 'other' });
    const prisma = new PrismaClient({ adapter });
    const error = await prisma.order.findMany().catch((thrown: unknown) => thrown);
    await prisma.$disconnect();
    expect(String(error)).toContain('other.Order');
  });

  test('$disconnect ends a login that is being retried', async () => {
    const PrismaClient = await generateClient('postgresql');
    await using stack = await startStack('postgres');
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
    const prisma = new PrismaClient({ adapter: adapterOf('postgresql', whereOf(stack)) });
    const query = prisma.$queryRawUnsafe(ONE).catch((error: unknown) => error);
    await vi.waitFor(() => expect(stack.emulator.stats.connections).toBeGreaterThan(2), 10_000);
    await prisma.$disconnect();
    const attempts = stack.emulator.stats.connections;
    expect(diagnosisOf(await query)).toMatchObject({ name: 'RdsIamError' });
    expect(stack.emulator.stats.connections).toBe(attempts);
  });
});

describe('mysql', () => {
  test('rows of every common type come back as from the adapter’s own pool', async () => {
    const PrismaClient = await generateClient('mysql');
    await using stack = await startStack('mysql');
    const sql = `select 1 as i, 9007199254740993 as big, 1.50 as d, 'x' as s, x'00ff' as b, cast('2024-02-29 12:00:00' as datetime) as t, null as n, json_object('a', 1) as j`;
    const iam = new PrismaClient({ adapter: adapterOf('mysql', whereOf(stack)) });
    const { hostname: host, port } = stack.upstream;
    const plain = new PrismaClient({
      adapter: adapterOf('mysql', { ...whereOf(stack), host, port, password: '', iam: { enabled: false } }),
    });
    expect(await iam.$queryRawUnsafe(sql)).toEqual(await plain.$queryRawUnsafe(sql));
    await Promise.all([iam.$disconnect(), plain.$disconnect()]);
  });

  test('options beside a connection string, which must contain them all, are refused by name', () => {
    expect(() =>
      adapterOf('mysql', { connectionString: 'mysql://app@db.example.com/shop', connectionLimit: 5 }),
    ).toThrow(/"connectionLimit"/);
  });
});

test('a provider without IAM logins is refused by name', () => {
  expect(() => adapterOf('sqlite' as Provider, {})).toThrow(
    expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringContaining('"provider"') }),
  );
});

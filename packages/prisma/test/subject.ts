import type { Socket } from 'node:net';
import type { Subject, SubjectOptions, SubjectPool, SubjectSession } from '@rds-iam/conformance';
import { isRdsIamError } from '@rds-iam/core';
import { createRdsIamAdapter, type MysqlOptions, type PostgresqlOptions } from '../src/index.js';
import { type Client, type ClientClass, generateClient, type Provider, type Queries } from './client.js';

/** Longer time-outs for waiting for and keeping a connection than Prisma's two and five seconds. */
const LIMITS = { maxWait: 60_000, timeout: 60_000 };

const A_DAY_MS = 86_400_000;

export async function subjectOf(provider: Provider): Promise<Subject> {
  const PrismaClient = await generateClient(provider);
  return {
    name: `@rds-iam/prisma on ${provider}`,
    engine: provider === 'mysql' ? 'mysql' : 'postgres',
    createPool: (options) => poolOf(PrismaClient, provider, options),
    diagnosisOf,
  };
}

/** Our error, taken from where Prisma's users find it. */
export function diagnosisOf(error: unknown): unknown {
  return isRdsIamError(error) ? error : metaOf(error)?.driverAdapterError;
}

function metaOf(error: unknown) {
  return (error as { readonly meta?: { readonly driverAdapterError?: unknown } } | undefined)?.meta;
}

function poolOf(PrismaClient: ClientClass, provider: Provider, options: SubjectOptions): SubjectPool {
  let prisma: Client | undefined;
  // The adapter refuses options when it is made, which is too early for the suite's pool.
  const client = () => {
    prisma ??= new PrismaClient({ adapter: adapterOf(provider, options) });
    return prisma;
  };
  return {
    query: async (sql) => client().$queryRawUnsafe(sql),
    checkout: () => checkout(client(), provider),
    transaction: (work) => client().$transaction((tx) => work((sql) => tx.$queryRawUnsafe(sql)), LIMITS),
    end: async () => prisma?.$disconnect(),
  };
}

function adapterOf(provider: Provider, options: SubjectOptions) {
  return provider === 'mysql'
    ? createRdsIamAdapter(mysqlOptions(options) as MysqlOptions)
    : createRdsIamAdapter(postgresqlOptions(options) as PostgresqlOptions);
}

/** Prisma does not expose sessions, so this holds a transaction open to have one. */
function checkout(prisma: Client, provider: Provider): Promise<SubjectSession> {
  return new Promise((resolve, reject) => {
    prisma
      .$transaction(async (tx) => {
        const endSession = await ENDS_SESSION[provider](prisma, tx);
        await new Promise<void>((release) =>
          resolve({
            query: (sql) => tx.$queryRawUnsafe(sql),
            release,
            destroy: () => void endSession(release).catch(() => {}),
          }),
        );
      }, LIMITS)
      .catch(reject);
  });
}

/** Ends the session of a transaction; from within if the next query would otherwise still get the dying connection. */
const ENDS_SESSION: Record<
  Provider,
  (prisma: Queries, tx: Queries) => Promise<(release: () => void) => Promise<unknown>>
> = {
  mysql: async (_, tx) => (release) => tx.$queryRawUnsafe('kill connection_id()').finally(release),
  // From outside, because Prisma 6 never returns a connection that was lost in a transaction.
  async postgresql(prisma, tx) {
    const [session] = await tx.$queryRawUnsafe('select pg_backend_pid() as id');
    return (release) => {
      release();
      return prisma.$queryRawUnsafe(`select pg_terminate_backend(${session?.['id']})`);
    };
  },
};

function postgresqlOptions({
  hostname,
  port,
  username,
  database,
  max,
  maxUses,
  socket,
  asUrl,
  ...options
}: SubjectOptions) {
  return {
    provider: 'postgresql',
    ...(asUrl
      ? { connectionString: `postgresql://${username}@${hostname}:${port}/${database}?sslmode=verify-full` }
      : { host: hostname, port, user: username, database }),
    ...(max !== undefined && { max }),
    ...(maxUses !== undefined && { maxUses }),
    ...(socket && { stream: socket }),
    ...loginOptions(options),
  };
}

type DialTo = { readonly host: string; readonly port: number };

function mysqlOptions({ hostname, port, username, database, max, maxUses, socket, asUrl, ...options }: SubjectOptions) {
  const stream =
    socket &&
    function (this: DialTo, callback: (error: undefined, stream: Socket) => void) {
      callback(undefined, socket().connect(this.port, this.host));
    };
  return {
    provider: 'mysql',
    ...(asUrl
      ? { connectionString: `mysql://${username}@${hostname}:${port}/${database}?sslaccept=strict` }
      : { host: hostname, port, user: username, database }),
    ...(max !== undefined && { connectionLimit: max }),
    // The scenario's clock jumps by minutes, and the connector's pool uses the clock for its time-outs.
    ...(maxUses !== undefined && { acquireTimeout: A_DAY_MS }),
    ...(stream && { stream }),
    ...loginOptions(options),
  };
}

function loginOptions({
  iam,
  password,
  withoutTls,
  tls,
}: Pick<SubjectOptions, 'iam' | 'password' | 'withoutTls' | 'tls'>) {
  return {
    iam,
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
  };
}

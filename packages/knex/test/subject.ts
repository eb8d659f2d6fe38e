import type { Subject, SubjectOptions, SubjectPool } from '@rds-iam/conformance';
import { type Knex, knex } from 'knex';
import { type KnexConfig, withRdsIam } from '../src/index.js';

/** What the tests of a dialect use. */
export interface Dialect {
  readonly client: 'pg' | 'mysql2';
  readonly engine: Subject['engine'];
  readonly scheme: string;
  rowsOf(result: unknown): readonly Record<string, unknown>[];
  /** A driver's option for making its sockets. */
  stream(socket: NonNullable<SubjectOptions['socket']>): unknown;
}

const POSTGRES: Dialect = {
  client: 'pg',
  engine: 'postgres',
  scheme: 'postgres',
  rowsOf: (result) => (result as { rows: Record<string, unknown>[] }).rows,
  stream: (socket) => socket,
};

const MYSQL: Dialect = {
  client: 'mysql2',
  engine: 'mysql',
  scheme: 'mysql2',
  rowsOf: (result) => (result as [Record<string, unknown>[]])[0],
  stream:
    (socket) =>
    ({ config }: { config: { host: string; port: number } }) =>
      socket().connect(config.port, config.host),
};

export const DIALECTS = [POSTGRES, MYSQL];

/** The subject of the conformance suite: Knex, configured like users do. */
export function subjectOf(dialect: Dialect): Subject {
  return {
    name: `@rds-iam/knex with ${dialect.client}`,
    engine: dialect.engine,
    createPool: (options) => poolOf(knex(withRdsIam(configOf(dialect, options))), dialect),
  };
}

export function configOf(
  { client, scheme, stream }: Dialect,
  { hostname, port, username, database, iam, max, password, withoutTls, tls, asUrl, socket }: SubjectOptions,
): KnexConfig {
  return {
    client,
    connection: asUrl
      ? `${scheme}://${username}@${hostname}:${port}/${database}?sslmode=verify-full`
      : {
          host: hostname,
          port,
          user: username,
          database,
          ...(password !== undefined && { password }),
          ...(withoutTls && { ssl: false }),
          ...(tls && { ssl: tls }),
          ...(socket && { stream: stream(socket) }),
        },
    iam,
    ...(max !== undefined && { pool: { min: 0, max } }),
    log: QUIET,
  } as KnexConfig;
}

/** Knex warns about every connection that it could not get or finds closed. */
export const QUIET: Knex.Logger = { warn: () => {} };

function poolOf(db: Knex, { rowsOf }: Dialect): SubjectPool {
  return {
    query: async (sql) => rowsOf(await db.raw(sql)),
    async checkout() {
      const connection = await db.client.acquireConnection();
      return {
        query: async (sql) => rowsOf(await db.raw(sql).connection(connection)),
        release: () => void db.client.releaseConnection(connection),
        destroy() {
          void db.client.destroyRawConnection(connection).finally(() => db.client.releaseConnection(connection));
        },
      };
    },
    // Knex itself begins and ends a transaction, on a connection that it reserves for it.
    transaction: (work) => db.transaction((transaction) => work(async (sql) => rowsOf(await transaction.raw(sql)))),
    end: () => db.destroy(),
  };
}

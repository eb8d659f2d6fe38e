import type { Socket } from 'node:net';
import type { Engine, Row, Subject, SubjectOptions, SubjectPool } from '@rds-iam/conformance';
import { Sequelize as Sequelize7 } from '@sequelize/core';
import { MariaDbDialect } from '@sequelize/mariadb';
import { MySqlDialect } from '@sequelize/mysql';
import { PostgresDialect } from '@sequelize/postgres';
import { QueryTypes, Sequelize, type Transaction } from 'sequelize';
import { expect, vi } from 'vitest';
import { isRdsIamError, type SequelizeOptions, type SequelizeOptionsBesideUrl, withRdsIam } from '../src/index.js';
import { withRdsIam as withRdsIam7 } from '../src/v7.js';

type DialectName = 'postgres' | 'mysql' | 'mariadb';
type DialTo = { readonly host: string; readonly port: number };

const ENGINES: Readonly<Record<DialectName, Engine>> = { postgres: 'postgres', mysql: 'mysql', mariadb: 'mysql' };

/** Sequelize 6 and 7 with each of the dialects that have IAM logins. */
export const SUBJECTS: readonly Subject[] = (['postgres', 'mysql', 'mariadb'] as const).flatMap((dialect) => [
  {
    name: `Sequelize 6, ${dialect}`,
    engine: ENGINES[dialect],
    createPool: (options: SubjectOptions) => poolOf6(newSequelize6(dialect, options)),
    diagnosisOf: (error: unknown) => (isRdsIamError(error) ? error : (error as { parent: unknown }).parent),
    // It first asks for the server's version.
    ownConnections: 1,
  },
  {
    name: `Sequelize 7, ${dialect}`,
    engine: ENGINES[dialect],
    createPool: (options: SubjectOptions) => poolOf7(newSequelize7(dialect, options)),
    diagnosisOf: (error: unknown) => (isRdsIamError(error) ? error : (error as Error).cause),
  },
]);

function newSequelize6(dialect: DialectName, options: SubjectOptions): Sequelize {
  const { hostname, port, username, database, iam, max, maxUses, password, withoutTls, tls, asUrl, socket } = options;
  const fields = {
    logging: false,
    iam,
    pool: { ...(max !== undefined && { max }), ...(maxUses !== undefined && { maxUses }) },
    ...(password !== undefined && { password }),
    dialectOptions: {
      ...(withoutTls && { ssl: false }),
      ...(tls && { ssl: tls }),
      ...(socket && { stream: streamOf(dialect, socket) }),
    },
  };
  if (asUrl) {
    const url = `${dialect}://${username}@${hostname}:${port}/${database}?sslmode=verify-full`;
    return new Sequelize(...withRdsIam(url, fields as SequelizeOptionsBesideUrl));
  }
  return new Sequelize(
    withRdsIam({ dialect, host: hostname, port, username, database, ...fields } as SequelizeOptions),
  );
}

function poolOf6(sequelize: Sequelize): SubjectPool {
  const query = async (sql: string, transaction?: Transaction): Promise<readonly Row[]> => {
    const on = transaction && { transaction };
    // For other queries that return rows, Sequelize 6 deletes a property, which the mariadb connector no longer allows.
    if (/^select/i.test(sql)) return sequelize.query<Row>(sql, { ...on, type: QueryTypes.SELECT });
    await sequelize.query(sql, on);
    return [];
  };
  return {
    query: (sql) => query(sql),
    async checkout() {
      const { connectionManager } = sequelize;
      const connection = await connectionManager.getConnection({ type: 'write', uuid: 'default' } as never);
      return {
        // The pool that queries take a connection from.
        query: (sql) => query(sql, { connection } as unknown as Transaction),
        release: () => connectionManager.releaseConnection(connection),
        destroy: () => void connectionManager.destroyConnection(connection),
      };
    },
    transaction: (work) => sequelize.transaction((transaction) => work((sql) => query(sql, transaction))),
    async end() {
      await nothingIsBeingOpened((sequelize.connectionManager as unknown as { readonly pool: Pool }).pool);
      await sequelize.close();
    },
  };
}

function newSequelize7(dialect: DialectName, options: SubjectOptions) {
  const { hostname, port, username, database, iam, max, maxUses, password, withoutTls, tls, asUrl, socket } = options;
  const fields = {
    ...(asUrl
      ? { url: `${dialect}://${username}@${hostname}:${port}/${database}` }
      : { host: hostname, port, user: username, database }),
    iam,
    pool: { ...(max !== undefined && { max }), ...(maxUses !== undefined && { maxUses }) },
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    ...(socket && { stream: streamOf(dialect, socket) }),
  };
  const dialects = { postgres: PostgresDialect, mysql: MySqlDialect, mariadb: MariaDbDialect };
  return new Sequelize7(withRdsIam7<never>({ dialect: dialects[dialect], ...fields } as never));
}

function poolOf7(sequelize: Sequelize7): SubjectPool {
  hearRejections(sequelize);
  type On = { readonly connection?: never; readonly transaction?: never };
  const query = async (sql: string, on?: object): Promise<readonly Row[]> => {
    const [rows] = await sequelize.query(sql, on as On);
    return rows as Row[];
  };
  return {
    query: (sql) => query(sql),
    async checkout() {
      const connection = await sequelize.pool.acquire();
      return {
        query: (sql) => query(sql, { connection }),
        release: () => sequelize.pool.release(connection),
        destroy: () => void sequelize.pool.destroy(connection),
      };
    },
    transaction: (work) => sequelize.transaction((transaction) => work((sql) => query(sql, { transaction }))),
    async end() {
      await nothingIsBeingOpened(sequelize.pool.write);
      await sequelize.close();
    },
  };
}

/** Sequelize's pool. */
interface Pool {
  readonly size: number;
  readonly available: number;
  readonly using: number;
}

/** Sequelize's close() forgets a connection that was being opened for a caller who got another one in the meantime. */
async function nothingIsBeingOpened(pool: Pool): Promise<void> {
  await vi.waitFor(() => expect(pool.size).toBe(pool.available + pool.using), { timeout: 10_000, interval: 1 });
}

/**
 * Sequelize 7 removes a broken connection from the pool, but does not notice one that breaks between its login and entering the
 * pool: sequelize/sequelize#18232, with any driver.
 */
function hearRejections({ pool }: Sequelize7): void {
  const destroy = pool.destroy.bind(pool);
  pool.destroy = (connection) =>
    destroy(connection).catch((error: Error) => {
      if (!error.message.startsWith('Unable to determine to which pool')) throw error;
    });
}

/** A driver's option for making its sockets. */
function streamOf(dialect: DialectName, socket: () => Socket): unknown {
  if (dialect === 'postgres') return socket;
  if (dialect === 'mysql') return ({ config }: { config: DialTo }) => socket().connect(config.port, config.host);
  return function (this: DialTo, callback: (error: undefined, stream: Socket) => void) {
    callback(undefined, socket().connect(this.port, this.host));
  };
}

import { createRdsIam, type RdsIam } from '@rds-iam/core';
import { startEmulator } from '@rds-iam/emulator';
import { withRdsIam as knexWithRdsIam } from '@rds-iam/knex';
import { createRdsIamAdapter } from '@rds-iam/prisma';
import { withRdsIam as sequelizeWithRdsIam } from '@rds-iam/sequelize';
import { CREDENTIALS } from '@rds-iam/test-servers';
import { withRdsIam as typeormWithRdsIam } from '@rds-iam/typeorm';
import createKnex from 'knex';
import { Sequelize } from 'sequelize';
import { DataSource } from 'typeorm';
import { moveClock } from './clock.js';
import { REGION } from './demonstrate.js';
import { type Row, step } from './terminal.js';

type Engine = 'postgres' | 'mysql';

interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly iam: RdsIam;
}

/** A minimal application on a framework. */
interface Application {
  query(sql: string): Promise<unknown>;
  end(): Promise<unknown>;
}

type Framework = readonly [name: string, connect: (engine: Engine, login: Login) => Application];

const FRAMEWORKS: readonly Framework[] = [
  [
    '@rds-iam/typeorm',
    (engine, login) => {
      const config = { ...login, username: 'app' };
      const dataSource = new DataSource(
        engine === 'postgres'
          ? typeormWithRdsIam({ type: 'postgres', ...config })
          : typeormWithRdsIam({ type: 'mysql', ...config }),
      );
      const ready = dataSource.initialize();
      return { query: async (sql) => (await ready).query(sql), end: () => dataSource.destroy() };
    },
  ],
  [
    '@rds-iam/knex',
    (engine, { iam, ...where }) => {
      const connection = { ...where, user: 'app' };
      const knex = createKnex(
        engine === 'postgres'
          ? knexWithRdsIam({ client: 'pg', connection, iam })
          : knexWithRdsIam({ client: 'mysql2', connection, iam }),
      );
      return { query: (sql) => knex.raw(sql), end: () => knex.destroy() };
    },
  ],
  [
    '@rds-iam/sequelize',
    (dialect, login) => {
      const sequelize = new Sequelize(sequelizeWithRdsIam({ dialect, ...login, username: 'app', logging: false }));
      return { query: (sql) => sequelize.query(sql), end: () => sequelize.close() };
    },
  ],
  [
    '@rds-iam/prisma',
    (engine, login) => {
      const config = { ...login, user: 'app' };
      // The adapter below Prisma's client, because generating a client takes a schema.
      const adapter = (
        engine === 'postgres'
          ? createRdsIamAdapter({ provider: 'postgresql', ...config })
          : createRdsIamAdapter({ provider: 'mysql', ...config })
      ).connect();
      return {
        query: async (sql) => (await adapter).queryRaw({ sql, args: [], argTypes: [] }),
        end: async () => (await adapter).dispose(),
      };
    },
  ],
];

/** One row for each framework on an engine: it logs in, and logs in again when the first token has expired. */
export async function demonstrateFrameworks(
  engine: Engine,
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Promise<Row[]> {
  const rows: Row[] = [];
  await using emulator = await startEmulator({
    engine,
    upstream: { hostname, port },
    region: REGION,
    accessKeys: [CREDENTIALS],
  });
  for (const [name, connect] of FRAMEWORKS) {
    const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca: emulator.ca });
    const login = { host: 'localhost', port: emulator.port, database: 'shop', iam };
    const before = emulator.stats;
    await step(`${name} on ${engine}: logging in, and again 16 minutes later`, async () => {
      // A minute first, because tokens of the same second are identical.
      for (const minutes of [1, 16]) {
        moveClock(minutes * 60_000);
        const application = connect(engine, login);
        await application.query('select 1');
        await application.end();
      }
    });
    const { accepted, distinctTokens } = emulator.stats;
    const [logins, tokens] = [accepted - before.accepted, distinctTokens - before.distinctTokens];
    rows.push({
      package: name,
      shown: `logs in to ${engine} without a password, and past the token's life`,
      measured: `${logins} logins, ${tokens} tokens`,
      ok: tokens === 2,
    });
  }
  return rows;
}

import { createRdsIam, isRdsIamError, type RdsIam, type RdsIamOptions } from '@rds-iam/core';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { withRdsIam as knexConfig } from '@rds-iam/knex';
import { createPool as createMysqlPool, type RowDataPacket } from '@rds-iam/mysql2';
import mariadb, { createPool as createMariadbPool } from '@rds-iam/mysql2/mariadb';
import mysql, { createPool as createPromisePool } from '@rds-iam/mysql2/promise';
import pg, { Client, Pool } from '@rds-iam/pg';
import { withRdsIam as postgresJsOptions } from '@rds-iam/pg/postgres-js';
import { createRdsIamAdapter } from '@rds-iam/prisma';
import { redisLimiter } from '@rds-iam/redis';
import { withRdsIam as sequelizeOptions } from '@rds-iam/sequelize';
import { withRdsIam as sequelize7Options } from '@rds-iam/sequelize/v7';
import { withRdsIam as dataSourceOptions } from '@rds-iam/typeorm';
import { Sequelize as Sequelize7 } from '@sequelize/core';
import { PostgresDialect } from '@sequelize/postgres';
import { Cluster } from 'ioredis';
import { knex } from 'knex';
import postgres from 'postgres';
import { createClient } from 'redis';
import { Sequelize } from 'sequelize';
import { DataSource } from 'typeorm';

const options: RdsIamOptions = { region: 'eu-west-1', limiter: redisLimiter({ client: createClient(), fleetSize: 2 }) };
createRdsIam({ limiter: redisLimiter({ client: new Cluster([]), fleetSize: 2 }) });
const iam: RdsIam = createRdsIam(options);
const login = { host: 'db', user: 'app', database: 'shop', iam };

export async function useAll(): Promise<unknown> {
  await new Client(login).connect();
  const { rows } = await new Pool(login).query<{ name: string }>('select current_user as name');
  await postgres(postgresJsOptions(login))`select 1`;
  createMysqlPool(login).query('select 1', (error) => isRdsIamError(error) && error.code);
  await createPromisePool(login).query<RowDataPacket[]>('select 1');
  await createMariadbPool(login).query('select 1');
  const defaults: [pg.Pool, mysql.Pool, mariadb.Pool] = [
    new pg.Pool(login),
    mysql.createPool(login),
    mariadb.createPool(login),
  ];
  await new DataSource(dataSourceOptions({ type: 'postgres', host: 'db', username: 'app', iam })).initialize();
  await knex(knexConfig({ client: 'pg', connection: { host: 'db', user: 'app' }, iam })).raw('select 1');
  await new Sequelize(sequelizeOptions({ dialect: 'mysql', host: 'db', username: 'app', iam })).authenticate();
  await new Sequelize7(
    sequelize7Options({ dialect: PostgresDialect, host: 'db', user: 'app', database: 'shop', iam }),
  ).authenticate();
  await createRdsIamAdapter({ provider: 'postgresql', ...login }).connect();
  await createRdsIamAdapter({ provider: 'mysql', ...login }).connect();
  const emulator: Emulator = await startEmulator({
    engine: 'postgres',
    upstream: { hostname: 'db', port: 5432 },
    region: 'eu-west-1',
    accessKeys: [],
  });
  const name: string | undefined = rows[0]?.name;
  return [name, emulator.port, defaults, mysql.Types, mysql.format('select ?', [1])];
}

// @ts-expect-error a password beside IAM
new Pool({ host: 'db', password: 'secret' });
// @ts-expect-error an option that there is not
createRdsIam({ regoin: 'eu-west-1' });

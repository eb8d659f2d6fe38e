import { configError } from '@rds-iam/core/adapter';
import { type MysqlAdapter, type MysqlAdapterOptions, type MysqlOptions, mysqlAdapter } from './mysql.js';
import {
  type PostgresqlAdapter,
  type PostgresqlAdapterOptions,
  type PostgresqlOptions,
  postgresqlAdapter,
} from './postgresql.js';

/**
 * A driver adapter for `new PrismaClient({ adapter })` whose connections log in with IAM: `@prisma/adapter-pg` for the provider
 * `postgresql`, `@prisma/adapter-mariadb` for `mysql`. Only the packages of the chosen one are loaded.
 *
 * @param options - the driver's own pool options without `password`, plus `provider` and `iam`
 * @param adapterOptions - the adapter's options, as in its own second argument
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code from queries and
 * transactions that need a connection
 */
export function createRdsIamAdapter(
  options: PostgresqlOptions,
  adapterOptions?: PostgresqlAdapterOptions,
): PostgresqlAdapter;
export function createRdsIamAdapter(options: MysqlOptions, adapterOptions?: MysqlAdapterOptions): MysqlAdapter;
export function createRdsIamAdapter(
  options: PostgresqlOptions | MysqlOptions,
  adapterOptions?: object,
): PostgresqlAdapter | MysqlAdapter {
  switch (options?.provider) {
    case 'postgresql':
      return postgresqlAdapter(options, adapterOptions);
    case 'mysql':
      return mysqlAdapter(options, adapterOptions);
    default:
      throw configError('provider', 'must be that of your Prisma schema: postgresql or mysql');
  }
}

// biome-ignore lint/suspicious/noTsIgnore: it stays in the declarations, for users without this adapter
/** @ts-ignore */
import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { configError, rdsIamOf, type WithIam } from '@rds-iam/core/adapter';
import { checkPoolConfig, createPool, type PoolConfig } from '@rds-iam/mysql2/mariadb';
import { diagnosisOf, withDiagnosis } from './diagnosis.js';

type Arguments = ConstructorParameters<typeof PrismaMariaDb>;

/**
 * The mariadb connector's own `PoolConfig`, with `iam` in place of `password`, for the provider `mysql`. Or a
 * `connectionString`, which must then contain all of the connector's options, as with the adapter itself.
 */
export type MysqlOptions = { readonly provider: 'mysql' } & (
  | (WithIam<Exclude<Arguments[0], string | { getConnection: unknown }>> & { readonly connectionString?: never })
  | (WithIam<object> & { readonly connectionString: string })
);

/** The options of `PrismaMariaDb` itself, such as `useTextProtocol`. */
export type MysqlAdapterOptions = Omit<NonNullable<Arguments[1]>, 'disposeExternalPool'>;

/** What `PrismaMariaDb` is to `PrismaClient`. */
export type MysqlAdapter = Pick<PrismaMariaDb, keyof PrismaMariaDb>;

/** `PrismaMariaDb` over a pool of `@rds-iam/mysql2/mariadb`, which is the hook: a new pool for each `connect()`. */
export function mysqlAdapter(
  { provider: _, iam: given, connectionString, ...config }: MysqlOptions,
  adapterOptions?: MysqlAdapterOptions,
): MysqlAdapter {
  if (connectionString !== undefined && Object.keys(config).length > 0) {
    throw configError(
      'connectionString',
      `and "${Object.keys(config)[0]}" cannot be combined: put the connector's options into the connection string, or give all of them as fields`,
    );
  }
  const iam = rdsIamOf(given);
  if (!iam.enabled) return new PrismaMariaDb(connectionString ?? config, adapterOptions);

  checkTakesPools(PrismaMariaDb);
  const own = { ...(connectionString === undefined ? config : { uri: connectionString }), iam };
  const options = withoutStatementCache(own) as PoolConfig;
  checkPoolConfig(options);

  async function connect() {
    const pool = createPool(options);
    try {
      // The adapter would ask for the version, take the lack of an answer for an old server, and let the first query retry.
      await (await pool.getConnection()).release();
    } catch (error) {
      await pool.end();
      throw diagnosisOf(error);
    }
    const factory = new PrismaMariaDb(pool as Arguments[0], { ...adapterOptions, disposeExternalPool: true });
    return withDiagnosis(await factory.connect());
  }
  return Object.assign(new PrismaMariaDb({}, adapterOptions), { connect });
}

/** The adapter's default for its own pools, because it prepares a new statement for every list of values. */
function withoutStatementCache(options: object & { readonly uri?: string }): object {
  const isSet = /[?&]prepareCacheLength=/.test(options.uri ?? '');
  return isSet ? options : { prepareCacheLength: 0, ...options };
}

/** An adapter before 7.10 takes a pool for options, finds no host in it, and would dial localhost without IAM. */
function checkTakesPools(Adapter: typeof PrismaMariaDb): void {
  let asked = false;
  const probe = Object.defineProperty({}, 'getConnection', {
    get() {
      asked = true;
      return undefined;
    },
  });
  new Adapter(probe);
  if (!asked) {
    throw configError(
      undefined,
      'with "provider" mysql, @prisma/adapter-mariadb must accept a pool, which the IAM login needs: install version 7.10 or later',
    );
  }
}

import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import {
  type AlwaysIam,
  boundBy,
  checkDriverTls,
  configError,
  rdsIamOf,
  type SwitchableIam,
} from '@rds-iam/core/adapter';
import type { ConnectionOptions, Options } from 'sequelize';
import { acquireWait, DRIVERS, type Driver, type RdsDialect, refuseOwnDriver } from './drivers.js';

/** Options that select another driver than the one that logs in with IAM. */
type OwnDriver = 'dialectModule' | 'dialectModulePath' | 'native';

type WithoutPassword<Config> = Omit<Config, 'password'> & { readonly password?: undefined };

type Replication = {
  readonly read: WithoutPassword<ConnectionOptions>[];
  readonly write: WithoutPassword<ConnectionOptions>;
};

/** Sequelize's own `Options`, with `iam` in place of the passwords, including those of replicas. */
export type SequelizeOptions =
  | (WithoutPassword<Omit<Options, OwnDriver | 'dialect' | 'replication'>> & {
      readonly [Name in OwnDriver]?: undefined;
    } & {
      readonly dialect: RdsDialect;
      readonly replication?: Replication | false;
      /** IAM options, or an {@link RdsIam} to share. @defaultValue the default credential chain */
      readonly iam?: AlwaysIam;
    })
  | (Options & {
      /** IAM options whose `enabled` says whether the passwords are used. */
      readonly iam: SwitchableIam;
    });

/** {@link SequelizeOptions} beside a connection URL, which names the dialect. */
export type SequelizeOptionsBesideUrl = SequelizeOptions extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'dialect'> & { readonly dialect?: RdsDialect }
    : never
  : never;

type Given = Options & { readonly iam?: RdsIamOptions | RdsIam };

/**
 * Options for Sequelize 6 whose connections log in with IAM: the same options without the passwords, plus `iam`. A failed login
 * is retried if that can help, within `iam.retry.timeoutMs` and before `pool.acquire` runs out, also for
 * `sequelize.transaction()`.
 *
 * ```js
 * new Sequelize(withRdsIam({ dialect: 'postgres', host, username, database }))
 * ```
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option contradicts IAM: at once or at the first query, where it may be the
 * `parent` of Sequelize's error
 */
export function withRdsIam(options: SequelizeOptions): Options;
/**
 * The arguments for Sequelize 6 with a connection URL, which Sequelize parses as usual.
 *
 * ```js
 * new Sequelize(...withRdsIam('postgres://app@HOST:5432/shop', { iam }))
 * ```
 */
export function withRdsIam(url: string, options?: SequelizeOptionsBesideUrl): [url: string, options: Options];
export function withRdsIam(
  first: string | SequelizeOptions,
  beside: SequelizeOptionsBesideUrl = {},
): Options | [url: string, options: Options] {
  return typeof first === 'string' ? [first, withDriver(beside as Given, first)] : withDriver(first as Given);
}

function withDriver({ iam: given, ...options }: Given, url?: string): Options {
  const iam = rdsIamOf(given);
  if (!iam.enabled) return options;
  refuseOwnDriver(options, ['dialectModule', 'dialectModulePath', 'native']);
  // Sequelize 6 only reads "dialectOptions.ssl"; a user who turned TLS off here should be told that it is on.
  checkDriverTls(options.ssl);
  const bounded = boundBy(acquireWait(options.pool), iam);
  const driver = driverOf(url === undefined ? options.dialect : url.split(':', 1)[0], bounded);
  if (url !== undefined) driver.checkConnectionUrl(url);
  return { ...options, dialectModule: driver.module };
}

function driverOf(dialect: string | undefined, iam: RdsIam): Driver {
  // Sequelize treats both as the same.
  const name = dialect === 'postgresql' ? 'postgres' : dialect;
  if (name === undefined || !Object.hasOwn(DRIVERS, name)) {
    throw configError(
      'dialect',
      'must be one that RDS has IAM authentication for: postgres, mysql or mariadb (for the dialect classes of Sequelize 7, use withRdsIam from @rds-iam/sequelize/v7)',
    );
  }
  return DRIVERS[name as RdsDialect](iam);
}

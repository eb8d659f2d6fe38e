import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { type AlwaysIam, boundBy, configError, rdsIamOf, type SwitchableIam } from '@rds-iam/core/adapter';
import type { AbstractDialect, Options, RawConnectionOptions } from '@sequelize/core';
import { acquireWait, DRIVERS, type RdsDialect, refuseOwnDriver } from './drivers.js';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export type { RdsDialect } from './drivers.js';

/** The option of each dialect that names its driver's module. */
const DRIVER_OPTIONS = { postgres: 'pgModule', mysql: 'mysql2Module', mariadb: 'mariaDbModule' } as const;

type DriverOption = (typeof DRIVER_OPTIONS)[RdsDialect];
type OwnDriver = DriverOption | 'native';
type Secret = 'password' | 'password1' | 'password2' | 'password3' | 'passwordSha1';

type WithoutPassword<Config> = Omit<Config, Secret> & { readonly [Name in Secret & keyof Config]?: undefined };

type Node<Dialect extends AbstractDialect> = string | WithoutPassword<Exclude<RawConnectionOptions<Dialect>, string>>;

/** Makes a dialect without any of the options above a type error. */
type WithDriver<Dialect extends AbstractDialect> = DriverOption & keyof Options<Dialect> extends never
  ? { readonly dialect: RdsDialect }
  : unknown;

type OptionsWithIam<Dialect extends AbstractDialect> = WithoutPassword<
  Omit<Options<Dialect>, OwnDriver | 'dialect' | 'replication'>
> & { readonly [Name in OwnDriver & keyof Options<Dialect>]?: undefined } & {
  readonly dialect: RdsDialect | (new (...given: never[]) => Dialect);
  readonly replication?: { readonly read: readonly Node<Dialect>[]; readonly write?: Node<Dialect> } | false;
  /** IAM options, or an {@link RdsIam} to share. @defaultValue the default credential chain */
  readonly iam?: AlwaysIam;
} & WithDriver<Dialect>;

type OptionsWithSwitch<Dialect extends AbstractDialect> = Options<Dialect> & {
  /** IAM options whose `enabled` says whether the passwords are used. */
  readonly iam: SwitchableIam;
};

/** Sequelize's own `Options`, with `iam` in place of the passwords, including those of replicas. */
export type SequelizeOptions<Dialect extends AbstractDialect> = OptionsWithIam<Dialect> | OptionsWithSwitch<Dialect>;

type Given = Readonly<Record<string, unknown>> & {
  readonly dialect?: string | { getSupportedOptions?(): readonly string[] };
  readonly iam?: RdsIamOptions | RdsIam;
};

/**
 * Options for Sequelize 7 whose connections log in with IAM: the same options without the passwords, plus `iam`. A failed login
 * is retried if that can help, within `iam.retry.timeoutMs` and before `pool.acquire` runs out, also for
 * `sequelize.transaction()`.
 *
 * ```js
 * new Sequelize(withRdsIam({ dialect: PostgresDialect, host, user, database }))
 * ```
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option contradicts IAM: at once or at the first query, where it may be the
 * `cause` of Sequelize's error
 */
export function withRdsIam<Dialect extends AbstractDialect>(options: OptionsWithIam<Dialect>): Options<Dialect>;
// Separate overloads, because TypeScript cannot infer the parameter types of hooks from a union.
export function withRdsIam<Dialect extends AbstractDialect>(options: OptionsWithSwitch<Dialect>): Options<Dialect>;
export function withRdsIam<Dialect extends AbstractDialect>(options: SequelizeOptions<Dialect>): Options<Dialect>;
export function withRdsIam<Dialect extends AbstractDialect>(given: SequelizeOptions<Dialect>): Options<Dialect> {
  const { iam: iamOption, ...options } = given as object as Given;
  const iam = rdsIamOf(iamOption);
  if (!iam.enabled) return options as object as Options<Dialect>;
  refuseOwnDriver(options, [...Object.values(DRIVER_OPTIONS), 'native']);
  const dialect = dialectOf(options.dialect);
  return {
    ...options,
    [DRIVER_OPTIONS[dialect]]: DRIVERS[dialect](boundBy(acquireWait(options['pool']), iam)).module,
  } as object as Options<Dialect>;
}

/** Recognizes the dialect by its name or, for a class, by the option that it supports. */
function dialectOf(dialect: Given['dialect']): RdsDialect {
  const supported = typeof dialect === 'string' ? [] : (dialect?.getSupportedOptions?.() ?? []);
  for (const [name, option] of Object.entries(DRIVER_OPTIONS)) {
    if (dialect === name || supported.includes(option)) return name as RdsDialect;
  }
  throw configError(
    'dialect',
    'must be one that RDS has IAM authentication for: PostgresDialect, MySqlDialect or MariaDbDialect, or postgres, mysql or mariadb',
  );
}

import type { SwitchableIam, WithIam } from '@rds-iam/core/adapter';
import type { DataSourceOptions } from 'typeorm';

// Selected by their `type`, because TypeORM 0.3 and 1 name these types differently.
type PostgresOptions = Extract<DataSourceOptions, { readonly type: 'postgres' }>;
type MysqlOptions = Extract<DataSourceOptions, { readonly type: 'mysql' | 'mariadb' }>;

/** TypeORM's own options for the engines that support IAM logins. */
export type RdsOptions = PostgresOptions | MysqlOptions;

/**
 * TypeORM's own options for `postgres`, `mysql` and `mariadb`, with `iam` in place of `password`, also in the nodes of
 * `replication`. A password is only allowed if `iam.enabled` may be `false`. (The `driver` option is how IAM is hooked in.)
 */
export type RdsIamDataSourceOptions = InPlaceOfPassword<PostgresOptions> | InPlaceOfPassword<MysqlOptions>;

type InPlaceOfPassword<Options extends RdsOptions> =
  | WithIam<WithReplication<Options, WithoutPassword<Replication<Options>>>>
  | (WithReplication<Options, Replication<Options>> & {
      readonly iam: SwitchableIam;
    });

type Replication<Options extends RdsOptions> = NonNullable<Options['replication']>;

type WithReplication<Options, Nodes> = Omit<Options, 'driver' | 'nativeDriver' | 'replication'> & {
  /** The master and its slaves, each with tokens for its own endpoint. */
  readonly replication?: Nodes;
};

type WithoutPassword<Nodes extends { readonly master: object; readonly slaves: readonly object[] }> = Omit<
  Nodes,
  'master' | 'slaves'
> & {
  readonly master: Passwordless<Nodes['master']>;
  readonly slaves: Passwordless<Nodes['slaves'][number]>[];
};

type Passwordless<Node> = Omit<Node, 'password'> & { readonly password?: undefined };

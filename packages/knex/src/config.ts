import type { AlwaysIam, SwitchableIam } from '@rds-iam/core/adapter';
import type { Knex } from 'knex';

/** Knex's own configuration, with `iam` in place of the password of its `connection`. */
export type KnexConfig = Omit<Knex.Config, 'client' | 'dialect' | 'connection' | 'connectionPool'> &
  (
    | ClientAndConnection<'pg' | 'postgres' | 'postgresql', Knex.PgConnectionConfig, 'password'>
    | ClientAndConnection<'mysql2', Knex.MySql2ConnectionConfig, 'password' | 'passwordSha1'>
    | ClientAndConnection<DialectClass, Knex.PgConnectionConfig, 'password'>
    | ClientAndConnection<DialectClass, Knex.MySql2ConnectionConfig, 'password' | 'passwordSha1'>
  );

/** Described by its shape, since dialects of other packages may extend another copy of Knex, or lack Knex's types. */
type DialectClass = abstract new (...args: never[]) => { queryCompiler(builder: never): unknown };

/** The passwords, whose names are `Secret`, are only allowed if `iam.enabled` may be `false`. */
type ClientAndConnection<Client, Settings, Secret extends string> =
  | {
      /** The name of Knex's client, or a dialect class that extends it. */
      readonly client: Client;
      /** As in Knex: settings, a connection URL, or a function that returns settings. */
      readonly connection?: Connection<Omit<Settings, Secret> & { readonly [Name in Secret]?: undefined }>;
      readonly connectionPool?: undefined;
      /** IAM options, or an `RdsIam` to share with other pools. @defaultValue the default credential chain */
      readonly iam?: AlwaysIam;
    }
  | {
      readonly client: Client;
      readonly connection?: Connection<Settings>;
      readonly connectionPool?: undefined;
      /** IAM options whose `enabled` says whether the password is used. */
      readonly iam: SwitchableIam;
    };

type Connection<Settings> = string | Settings | (() => Settings) | (() => Promise<Settings>);

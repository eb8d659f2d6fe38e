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

/** By the shape, as those of other packages can be on another copy of Knex, or have no types of Knex's. */
type DialectClass = abstract new (...args: never[]) => { queryCompiler(builder: never): unknown };

/** The passwords, whose names are `Secret`, are only possible where `iam.enabled` may be `false`. */
type ClientAndConnection<Client, Settings, Secret extends string> =
  | {
      /** The name of Knex's client, or a dialect class of your own on top of it. */
      readonly client: Client;
      /** As Knex takes it: settings, a connection URL, or a function that gives settings. */
      readonly connection?: Connection<Omit<Settings, Secret> & { readonly [Name in Secret]?: undefined }>;
      readonly connectionPool?: undefined;
      /** IAM options, or an `RdsIam` to share with other pools. @defaultValue the default credential chain */
      readonly iam?: AlwaysIam;
    }
  | {
      readonly client: Client;
      readonly connection?: Connection<Settings>;
      readonly connectionPool?: undefined;
      /** IAM options of which `enabled` says whether the password is used. */
      readonly iam: SwitchableIam;
    };

type Connection<Settings> = string | Settings | (() => Settings) | (() => Promise<Settings>);

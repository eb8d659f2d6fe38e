// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.

import type { AbstractDialect } from '@sequelize/core';
import { Sequelize as Sequelize7 } from '@sequelize/core';
import { MariaDbDialect } from '@sequelize/mariadb';
import { MySqlDialect } from '@sequelize/mysql';
import { PostgresDialect } from '@sequelize/postgres';
import { Sequelize } from 'sequelize';
import { createRdsIam, isRdsIamError, type SequelizeOptions, withRdsIam } from '../src/index.js';
import { type SequelizeOptions as SequelizeOptions7, withRdsIam as withRdsIam7 } from '../src/v7.js';

const production = process.env['NODE_ENV'] === 'production';

// Sequelize 6: its own options pass through, with their own types, and what comes back is its own.
new Sequelize(
  withRdsIam({
    dialect: 'postgres',
    host: 'db',
    port: 5432,
    username: 'app',
    database: 'shop',
    pool: { max: 5, acquire: 60_000 },
    hooks: { beforeConnect: (config) => void config.username },
    logging: false,
    dialectOptions: { application_name: 'shop' },
  }),
);
new Sequelize(withRdsIam({ dialect: 'mysql', host: 'db', iam: { region: 'eu-west-1' } }));
new Sequelize(withRdsIam({ dialect: 'mariadb', host: 'db', iam: createRdsIam() }));
new Sequelize(...withRdsIam('postgres://app@db/shop'));
new Sequelize(...withRdsIam('postgres://app@db/shop', { logging: false, iam: { retry: false } }));
withRdsIam({
  dialect: 'postgres',
  replication: { read: [{ host: 'reader', username: 'app' }], write: { host: 'writer', username: 'app' } },
});

// A password, or another driver, is possible only where IAM may be off.
const both: SequelizeOptions = { dialect: 'postgres', host: 'db', password: 'secret', iam: { enabled: production } };
withRdsIam(both);
withRdsIam({ dialect: 'postgres', native: true, iam: { enabled: false } });
withRdsIam({
  dialect: 'postgres',
  replication: { read: [{ host: 'reader', password: 'secret' }], write: { host: 'writer' } },
  iam: { enabled: production },
});
withRdsIam('postgres://app:secret@db/shop', { password: 'secret', iam: { enabled: false } });
// @ts-expect-error a password beside IAM
withRdsIam({ dialect: 'postgres', host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM options
withRdsIam({ dialect: 'postgres', host: 'db', password: 'secret', iam: { region: 'eu-west-1' } });
// @ts-expect-error a password beside a shared RdsIam
withRdsIam({ dialect: 'postgres', host: 'db', password: 'secret', iam: createRdsIam() });
// @ts-expect-error a password beside a URL
withRdsIam('postgres://app@db/shop', { password: 'secret' });
// @ts-expect-error a password of a replica
withRdsIam({ dialect: 'postgres', replication: { read: [{ host: 'r', password: 'secret' }], write: { host: 'w' } } });
// @ts-expect-error a password of the writer
withRdsIam({ dialect: 'postgres', replication: { read: [{ host: 'r' }], write: { host: 'w', password: 'secret' } } });
// @ts-expect-error another driver beside IAM
withRdsIam({ dialect: 'postgres', host: 'db', dialectModule: {} });
// @ts-expect-error another driver beside IAM
withRdsIam({ dialect: 'postgres', host: 'db', native: true });
// @ts-expect-error a dialect that RDS has no IAM authentication for
withRdsIam({ dialect: 'sqlite', host: 'db' });
// @ts-expect-error no dialect
withRdsIam({ host: 'db' });
// @ts-expect-error a misspelt option of Sequelize
withRdsIam({ dialect: 'postgres', hots: 'db' });
// @ts-expect-error a misspelt option of Sequelize beside a URL
withRdsIam('postgres://app@db/shop', { loging: false });
// @ts-expect-error a misspelt option of a replica
withRdsIam({ dialect: 'postgres', replication: { read: [{ hots: 'r' }], write: { host: 'w' } } });
// @ts-expect-error a misspelt IAM option
withRdsIam({ dialect: 'postgres', host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error an option of Sequelize of another type
withRdsIam({ dialect: 'postgres', host: 'db', pool: { max: '5' } });
// @ts-expect-error arguments where Sequelize takes options: the dots are missing
new Sequelize(withRdsIam('postgres://app@db/shop'));

// Sequelize 7: the dialect's own options pass through, with their own types, and what comes back is its own.
const postgres: Sequelize7<PostgresDialect> = new Sequelize7(
  withRdsIam7({
    dialect: PostgresDialect,
    host: 'db',
    port: 5432,
    user: 'app',
    database: 'shop',
    ssl: { ca: 'pem' },
    application_name: 'shop',
    pool: { max: 5 },
    hooks: { beforeConnect: (config) => void config.user },
    logging: false,
  }),
);
new Sequelize7(withRdsIam7({ dialect: MySqlDialect, host: 'db', port: 3306, showWarnings: true, charset: 'utf8mb4' }));
new Sequelize7(withRdsIam7({ dialect: MariaDbDialect, url: 'mariadb://app@db:3306/shop', iam: createRdsIam() }));
new Sequelize7(withRdsIam7({ dialect: 'postgres', url: 'postgres://app@db/shop', iam: { retry: false } }));
withRdsIam7({
  dialect: PostgresDialect,
  replication: { read: [{ host: 'reader' }, 'postgres://app@reader/shop'], write: { host: 'writer', user: 'app' } },
});

const both7: SequelizeOptions7<PostgresDialect> = {
  dialect: PostgresDialect,
  host: 'db',
  password: 'secret',
  hooks: { beforeConnect: (config) => void config.user },
  iam: { enabled: production },
};
withRdsIam7(both7);
withRdsIam7({ dialect: PostgresDialect, host: 'db', password: 'secret', iam: { enabled: production } });
withRdsIam7({ dialect: PostgresDialect, native: true, iam: { enabled: false } });
// @ts-expect-error a password beside IAM
withRdsIam7({ dialect: PostgresDialect, host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM options
withRdsIam7({ dialect: MySqlDialect, host: 'db', password: 'secret', iam: { region: 'eu-west-1' } });
// @ts-expect-error another of MySQL's passwords
withRdsIam7({ dialect: MySqlDialect, host: 'db', password1: 'secret' });
// @ts-expect-error a password of a replica
withRdsIam7({ dialect: MySqlDialect, replication: { read: [{ host: 'r', password: 'secret' }] } });
// @ts-expect-error another driver beside IAM
withRdsIam7({ dialect: PostgresDialect, host: 'db', native: true });
// @ts-expect-error a misspelt option
withRdsIam7({ dialect: PostgresDialect, hots: 'db' });
// @ts-expect-error an option of another dialect
withRdsIam7({ dialect: PostgresDialect, host: 'db', showWarnings: true });
// @ts-expect-error a misspelt option of a replica
withRdsIam7({ dialect: PostgresDialect, replication: { read: [{ hots: 'r' }] } });
// @ts-expect-error a misspelt IAM option
withRdsIam7({ dialect: PostgresDialect, host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error a dialect that RDS has no IAM authentication for
withRdsIam7({ dialect: 'sqlite3' });
type Class<T> = { new (...given: never[]): T; prototype: T };
declare abstract class OtherDialect extends AbstractDialect<{ storage?: string }, { storage?: string }> {}
// @ts-expect-error a class of a dialect that RDS has no IAM authentication for
withRdsIam7({ dialect: OtherDialect as Class<OtherDialect>, storage: 'file' });

export function explain(error: unknown): string {
  return isRdsIamError(error) ? `${error.code} ${postgres.isClosed()}` : 'another';
}

import { MySqlDialect } from '@sequelize/mysql';
import { PostgresDialect } from '@sequelize/postgres';
import { Sequelize } from 'sequelize';
import { describe, expect, test } from 'vitest';
import { withRdsIam } from '../src/index.js';
import { withRdsIam as withRdsIam7 } from '../src/v7.js';

const iam = { region: 'eu-west-1', credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' } };
const good = { dialect: 'postgres', host: 'db.abc.eu-west-1.rds.amazonaws.com', username: 'app', iam };
const good7 = { dialect: PostgresDialect, host: good.host, user: 'app', iam };

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });

describe('Sequelize 6: what cannot be right is refused at once, by name', () => {
  test.each<[string, object, RegExp]>([
    ['a dialectModule', { ...good, dialectModule: {} }, /"dialectModule" replaces the driver.*remove it/],
    ['a dialectModulePath', { ...good, dialectModulePath: 'pg' }, /"dialectModulePath" replaces the driver/],
    ['pg-native', { ...good, native: true }, /"native" replaces the driver/],
    ['ssl: false, which Sequelize ignores', { ...good, ssl: false }, /"ssl" is false.*remove "ssl"/],
    ['another dialect', { ...good, dialect: 'sqlite' }, /"dialect" must be.*postgres, mysql or mariadb/],
    ['a dialect that is a property of all objects', { ...good, dialect: 'constructor' }, /"dialect" must be/],
    ['no dialect', { ...good, dialect: undefined }, /"dialect" must be/],
    ['a dialect of Sequelize 7', { ...good, dialect: PostgresDialect }, /"dialect" must be.*sequelize\/v7/],
    ['an unknown IAM option', { ...good, iam: { ...iam, regoin: 'x' } }, /unknown IAM option "regoin"/],
  ])('%s', (_, options, message) => {
    expect(() => withRdsIam(options as never)).toThrow(refusal(message));
  });

  test.each<[string, RegExp]>([
    ['postgres://app:hunter2@db.example.com/shop', /password/],
    ['postgres://app@db.example.com/shop?sslmode=disable', /"sslmode=disable"/],
    ['postgresql://app@db.example.com/shop?sslmode=no-verify', /"sslmode=no-verify"/],
    ['mysql://app:hunter2@db.example.com/shop', /password/],
    ['mysql://app@db.example.com/shop?ssl-mode=DISABLED', /"ssl-mode=DISABLED"/],
    ['mariadb://app@db.example.com/shop?ssl=false', /"ssl=false"/],
    ['sqlite://app:hunter2@db.example.com/shop', /"dialect" must be/],
    ['hunter2', /"dialect" must be/],
  ])('%s', (url, message) => {
    expect(() => withRdsIam(url, { iam })).toThrow(refusal(message));
    expect(() => withRdsIam(url, { iam })).not.toThrow(/hunter2/);
  });

  test.each(['postgres', 'mysql', 'mariadb'] as const)(
    '%s: what only the driver sees, at the first query',
    async (dialect) => {
      for (const [options, message] of [
        [{ dialectOptions: { ssl: false } }, /"ssl" is false/],
        [{ dialectOptions: { ssl: { rejectUnauthorized: false } } }, /"ssl.rejectUnauthorized" is off/],
        [
          { replication: { read: [{ password: 'hunter2' }], write: { password: 'hunter2' } } },
          /"password" cannot be used with IAM/,
        ],
      ] as const) {
        const sequelize = new Sequelize(withRdsIam({ ...good, dialect, logging: false, ...options } as never));
        const error = await sequelize.query('select 1').catch((thrown: unknown) => thrown);
        expect((error as { parent?: unknown }).parent ?? error).toEqual(refusal(message));
        await sequelize.close();
      }
    },
  );
});

describe('Sequelize 7: what cannot be right is refused at once, by name', () => {
  const OtherDialect = Object.assign(() => {}, { getSupportedOptions: () => ['storage'] });
  test.each<[string, object, RegExp]>([
    ['a pgModule', { ...good7, pgModule: {} }, /"pgModule" replaces the driver.*remove it/],
    ['a mysql2Module', { ...good7, dialect: MySqlDialect, mysql2Module: {} }, /"mysql2Module" replaces the driver/],
    ['a mariaDbModule', { ...good7, dialect: 'mariadb', mariaDbModule: {} }, /"mariaDbModule" replaces the driver/],
    ['pg-native', { ...good7, native: true }, /"native" replaces the driver/],
    ['another dialect', { ...good7, dialect: OtherDialect }, /"dialect" must be.*PostgresDialect/],
    ['the name of another dialect', { ...good7, dialect: 'sqlite3' }, /"dialect" must be/],
    ['no dialect', { ...good7, dialect: undefined }, /"dialect" must be/],
    ['an unknown IAM option', { ...good7, iam: { ...iam, regoin: 'x' } }, /unknown IAM option "regoin"/],
  ])('%s', (_, options, message) => {
    expect(() => withRdsIam7(options as never)).toThrow(refusal(message));
  });
});

describe('with IAM off, the options are returned unchanged', () => {
  const off = { iam: { enabled: false } };
  test('Sequelize 6', () => {
    const options = { dialect: 'postgres', password: 'hunter2', native: true, ssl: false } as const;
    expect(withRdsIam({ ...options, ...off })).toEqual(options);
    const url = 'postgres://app:hunter2@localhost/shop?sslmode=disable';
    expect(withRdsIam(url, { logging: false, ...off })).toEqual([url, { logging: false }]);
  });
  test('Sequelize 7', () => {
    const options = { dialect: PostgresDialect, password: 'hunter2', native: true, ssl: false };
    expect(withRdsIam7({ ...options, ...off })).toEqual(options);
  });
});

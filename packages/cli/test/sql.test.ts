import { type MariadbServer, type PostgresServer, startMariadb, startPostgres } from '@rds-iam/test-servers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { statements } from '../src/sql.js';
import { runHere } from './command-line.js';

/** Names that would break out of careless quoting. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', "'", '`', '\\', ';', '--', '/*', '%', '_', '$$', ' ', '@', '"; drop role app; --', '.', '#'),
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 4 }),
      fc.constantFrom('ä', '名', 'ß'),
    ),
    { minLength: 1, maxLength: 6 },
  )
  // MySQL accepts neither names over 32 characters nor names that end with a space.
  .map((parts) => `x${parts.join('').slice(0, 20)}x`)
  .filter((name) => !/\p{Cc}/u.test(name));

describe('sql', () => {
  test('for PostgreSQL', async () => {
    const url = 'postgres://app@mydb.abc123.eu-west-1.rds.amazonaws.com/shop';
    const { exitCode, stdout, stderr } = await runHere(['sql', url, '--grant', 'read']);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      [
        'CREATE USER "app" WITH LOGIN;',
        'GRANT rds_iam TO "app";',
        'GRANT CONNECT ON DATABASE "shop" TO "app";',
        'GRANT USAGE ON SCHEMA "public" TO "app";',
        'GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "app";',
        'ALTER DEFAULT PRIVILEGES IN SCHEMA "public" GRANT SELECT ON TABLES TO "app";',
        '',
      ].join('\n'),
    );
  });

  test('for MySQL and MariaDB, as JSON', async () => {
    const flags = ['--engine', 'mariadb', '--username', 'app', '--database', 'my_shop', '--grant', 'write', '--json'];
    const { stdout } = await runHere(['sql', ...flags]);
    expect(JSON.parse(stdout)).toEqual({
      engine: 'mysql',
      statements: [
        "CREATE USER `app`@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
        "ALTER USER `app`@'%' REQUIRE SSL",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON `my\\_shop`.* TO `app`@'%'",
      ],
    });
  });

  test.each([
    ['no engine', ['--username', 'app'], 'the engine is missing'],
    ['no user', ['--engine', 'postgres'], '--username is missing'],
    ['rights without a database', ['--engine', 'postgres', '--username', 'app', '--grant', 'read'], '--database'],
    ['a name that PostgreSQL would truncate', ['--engine', 'postgres', '--username', 'ä'.repeat(32)], '63 bytes'],
    ['a line break', ['--engine', 'mysql', '--username', 'a\nb'], 'control character'],
  ])('%s: code 2', async (_, args, message) => {
    const { exitCode, stderr } = await runHere(['sql', ...args]);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('names on PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.close());

  test('the account has exactly the given name', async () => {
    const admin = await server.connectAsSuperuser();
    await admin.query('create role rds_iam');
    const names = async () =>
      (await admin.query("select rolname from pg_roles where rolname !~ '^pg_'")).rows.map(({ rolname }) => rolname);
    const before = await names();
    try {
      await fc.assert(
        fc.asyncProperty(hostile, hostile, async (username, schema) => {
          await admin.query('begin');
          try {
            await admin.query(`create schema "${schema.replaceAll('"', '""')}"`);
            const made = statements({ engine: 'postgres', username, database: 'postgres', access: 'write', schema });
            for (const statement of made) await admin.query(statement);
            expect((await names()).sort()).toEqual([...before, username].sort());
            const { rows } = await admin.query(
              "select pg_has_role($1, 'rds_iam', 'member') as iam, has_schema_privilege($1, oid, 'usage') as usage from pg_namespace where nspname = $2",
              [username, schema],
            );
            expect(rows).toEqual([{ iam: true, usage: true }]);
          } finally {
            await admin.query('rollback');
          }
        }),
      );
    } finally {
      await admin.end();
    }
  });
});

describe('names on MySQL and MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server?.close());

  test.each(['', 'NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES'])(
    'the account has exactly the given name, in mode "%s"',
    async (mode) => {
      const admin = await server.connectAsSuperuser();
      await admin.query('set sql_mode = ?', [mode]);
      const names = async () =>
        ((await admin.query("select user as user from mysql.user where host = '%'"))[0] as { user: string }[]).map(
          ({ user }) => user,
        );
      const before = await names();
      try {
        await fc.assert(
          fc.asyncProperty(hostile, hostile, async (username, database) => {
            const [create = '', ...others] = statements({
              engine: 'mysql',
              username,
              database,
              access: 'write',
              schema: '',
            });
            // Only RDS has the plugin.
            await admin.query(create.replace(" IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'", ''));
            try {
              for (const statement of others) await admin.query(statement);
              expect((await names()).sort()).toEqual([...before, username].sort());
              const [rows] = await admin.execute('select db as db from mysql.db where user = ?', [username]);
              const patterns = (rows as { db: string }[]).map(({ db }) => db);
              expect(patterns.map((pattern) => pattern.replace(/\\([\\_%])/g, '$1'))).toEqual([database]);
              // Nor is it a wildcard.
              for (const pattern of patterns) expect(pattern.replace(/\\[\\_%]/g, '')).not.toMatch(/[\\_%]/);
            } finally {
              await admin.query(`drop user \`${username.replaceAll('`', '``')}\`@'%'`);
            }
          }),
        );
      } finally {
        await admin.end();
      }
    },
  );
});

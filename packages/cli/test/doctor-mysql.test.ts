// The doctor on MySQL and MariaDB, where it differs from PostgreSQL.
import { type MariadbServer, startMariadb } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCreateUser } from '../src/doctor/server.js';
import { mostLikely, outcomes, startWorld, type World } from './doctor-world.js';

describe('on MariaDB', () => {
  const inFrontOf = ({ port }: MariadbServer) => ({
    engine: 'mysql' as const,
    upstream: { hostname: '127.0.0.1', port, username: 'root' },
  });
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
    await makeClerk(server);
  });
  afterAll(() => server?.close());

  async function makeClerk(at: MariadbServer) {
    const admin = await at.connectAsSuperuser();
    await admin.query("create user clerk@'%' identified by 'stored'");
    await admin.end();
  }
  const examineAt = (world: World) => world.examine({ database: 'mysql' });

  test('a successful login, and what the server says about the account', async () => {
    await using world = await startWorld(inFrontOf(server));
    const seen = await examineAt(world);
    expect(seen.exitCode).toBe(0);
    expect(outcomes(seen)).toMatchObject({ tls: 'passed', login: 'passed', version: 'passed' });
    // Behind the emulator, root uses neither TLS nor RDS's plugin, and the doctor says so.
    expect(outcomes(seen)).toMatchObject({ encryption: 'warned', account: 'warned' });
    expect(seen.step('account').causes[0]?.diagnosis).toBe('missing-grant');
    expect(seen.report.steps.map(({ step }) => step)).not.toContain('master');
  });

  test("an account with RDS's plugin, in the server's own words", async (context) => {
    context.skip(server.flavour !== 'mariadb', 'MySQL makes no account whose plugin it does not have');
    const admin = await server.connectAsSuperuser();
    try {
      // Only RDS has the plugin: the account can be inspected, but nobody can log in to it.
      const account = { access: 0, plugin: 'AWSAuthenticationPlugin', authentication_string: 'RDS', ssl_type: 1 };
      await admin.query("insert into mysql.global_priv values ('%', 'app', ?)", [JSON.stringify(account)]);
      await admin.query('flush privileges');
      const [rows] = await admin.query("show create user app@'%'");
      const [statement] = Object.values((rows as Record<string, string>[])[0] ?? {});
      const mysql = readCreateUser(statement ?? '', 'app@%');
      expect(mysql).toEqual({ name: '`app`@`%`', plugin: 'AWSAuthenticationPlugin', requiresTls: true });
    } finally {
      await admin.end();
    }
  });

  test('a user without the plugin', async () => {
    await using world = await startWorld({ ...inFrontOf(server), iamUsers: ['app'] });
    const seen = await world.examine({ user: 'clerk', database: 'mysql' });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'missing-grant' });
    expect(seen.report.cause?.fix).toEqual([
      { sql: "CREATE USER `clerk`@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';" },
      { sql: "ALTER USER `clerk`@'%' REQUIRE SSL;" },
    ]);
  });

  test('a server that says it is too old', async () => {
    // A newer MariaDB that is configured to report this version, which is all that clients see of it.
    await using old = await startMariadb({ settings: { version: '10.5.27-MariaDB' } });
    await makeClerk(old);
    await using world = await startWorld({ ...inFrontOf(old), iamUsers: ['app'] });
    const seen = await world.examine({ user: 'clerk', database: 'mysql' });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'engine-too-old' });
    expect(seen.step('version')).toMatchObject({ outcome: 'failed', seen: 'MariaDB 10.5.27, says the server' });
    // If the login succeeds anyway, it is only a warning.
    const works = await examineAt(world);
    expect(works.exitCode).toBe(0);
    expect(works.step('version').outcome).toBe('warned');
  });

  test('no TLS', async () => {
    await using world = await startWorld(inFrontOf(server));
    world.emulator.setFaults({ tls: 'off' });
    expect(mostLikely(await examineAt(world))).toEqual({ exitCode: 1, diagnosis: 'no-tls' });
  });
});

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { createRdsIam } from '@rds-iam/core';
import { expectNoSecrets, type PostgresServer, startMariadb, startPostgres } from '@rds-iam/test-servers';
import { openPage, startChromium } from '@rds-iam/test-servers/chromium';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { describeConnection } from '../src/emulate/connection-settings.js';
import { hasTerminal, rdsIam, start, startInTerminal, tool } from './command-line.js';

const require = createRequire(import.meta.url);

describe('emulate', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] });
    const admin = await server.connectAsSuperuser();
    await admin.query("create role owner login password 'hunter2'");
    await admin.query('create database shop owner owner');
    await admin.end();
  });
  afterAll(() => server?.close());

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'lets in a user with a token, says so, and is gone after %s',
    async (signal) => {
      const url = `postgres://owner@127.0.0.1:${server.port}/shop`;
      const running = start(process.execPath, tool('emulate', url, '--region', 'eu-west-1', '--json'), {
        PGPASSWORD: 'hunter2',
      });
      const [line] = await running.said(/^\{.*\}$/m);
      const { hostname, port, caFile, region, database, accessKeyId, secretAccessKey } = JSON.parse(line);
      expect({ hostname, region, database }).toEqual({ hostname: 'localhost', region: 'eu-west-1', database: 'shop' });
      const program = `
      const { Client } = require(${JSON.stringify(require.resolve('pg'))});
      const client = new Client({ connectionString: process.env.DATABASE_URL });
      client.connect()
        .then(() => client.query('select current_user as who'))
        .then(({ rows }) => console.log(rows[0].who), (error) => console.log(error.code))
        .finally(() => client.end());`;
      const login = async (secret: string) => {
        const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: region };
        const at = ['--ca', caFile, `postgres://app@${hostname}:${port}/shop`, '--', process.execPath, '-e', program];
        return (await rdsIam(['exec', ...at], keys)).stdout;
      };
      expect(await login(secretAccessKey)).toBe('owner\n');
      await running.said(/accepted "app"\n/);
      expect(await login('another')).toBe('28000\n');
      await running.said(/refused "app": bad-signature\n/);
      running.child.kill(signal);
      const { exitCode, stdout, stderr } = await running.outcome;
      expect(exitCode).toBe(0);
      expect(stdout).toBe(`${line}\n`);
      expect(stderr).toMatch(/stopped\n$/);
      expect(stdout + stderr).not.toMatch(/hunter2|X-Amz-Signature/);
      expect(existsSync(caFile)).toBe(false);
      const [error] = await once(connect(port, '127.0.0.1'), 'error');
      expect(error.code).toBe('ECONNREFUSED');
    },
  );

  test.skipIf(!hasTerminal)('Ctrl-C in a terminal ends it, and settings are printed for a shell', async () => {
    const url = `postgres://owner@127.0.0.1:${server.port}/shop`;
    const running = startInTerminal(['emulate', url], { PGPASSWORD: 'hunter2' });
    await running.said(/Ctrl-C ends it/);
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(exitCode).toBe(0);
    // A profile would take precedence over the key, and a session token would belong to another key.
    expect(stdout).toMatch(
      /^unset AWS_PROFILE AWS_SESSION_TOKEN\r\nexport AWS_ACCESS_KEY_ID=AKIDLOCAL AWS_SECRET_ACCESS_KEY=\w+ AWS_REGION=eu-west-1\r$/m,
    );
    expect(stdout).toMatch(/stopped\r\n$/);
  });

  describe('its page, in Chromium', () => {
    let browser: Awaited<ReturnType<typeof startChromium>>;
    beforeAll(async () => {
      browser = await startChromium();
    });
    afterAll(() => browser?.close());

    /** Text that a client can make up and the page will show. */
    const MARKUP = '<img src=x onerror="document.title=1">';
    const fingerprint = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);

    test('shows logins live, with their token, its age, and the reason for a refusal', async () => {
      const url = `postgres://owner@127.0.0.1:${server.port}/shop`;
      const running = start(process.execPath, tool('emulate', url, '--json', '--http-port', '0'), {
        PGPASSWORD: 'hunter2',
      });
      onTestFinished(() => void running.child.kill('SIGKILL'));
      const settings = JSON.parse((await running.said(/^\{.*\}$/m))[0]);
      const { hostname, port, caFile, region, accessKeyId, secretAccessKey, http } = settings;
      const ca = readFileSync(caFile, 'utf8');
      const token = async (secret: string) => {
        const iam = createRdsIam({ region, ca, credentials: { accessKeyId, secretAccessKey: secret } });
        return (await iam.getToken({ hostname, port, username: 'app' })).token;
      };
      const login = async (user: string, password: string) => {
        const client = new pg.Client({ host: hostname, port, user, password, database: 'shop', ssl: { ca } });
        await client.connect();
        await client.end();
      };
      await using desktop = await openPage(browser, http, { width: 1280, colorScheme: 'light' });
      await using phone = await openPage(browser, http, { width: 390, colorScheme: 'dark' });
      await desktop.page.getByText('no login yet').waitFor();

      const [good, forged] = [await token(secretAccessKey), await token('another')];
      await login('app', good);
      await login('app', good);
      await expect(login('app', forged)).rejects.toThrow();
      await expect(login(MARKUP, 'a password of somebody')).rejects.toThrow();
      for (const [name, open] of Object.entries({ desktop, phone })) {
        const { page } = open;
        // It updates itself without a reload.
        await page.getByText('malformed: the password was not a token').waitFor();
        await page.locator('.tile', { hasText: '0open now' }).waitFor();
        const text = await page.locator('body').textContent();
        for (const shown of [fingerprint(good), fingerprint(forged), 'old, of 15 min', MARKUP, 'bad-signature: ']) {
          expect(text).toContain(shown);
        }
        const tiles = await page.locator('.tile').allTextContents();
        expect(tiles.slice(0, 4)).toEqual(['0open now', '2let in', '2refused', '1different tokens']);
        expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true);
        expect(await page.title()).toBe('rds-iam emulator');
        const secrets = [secretAccessKey, 'hunter2', 'a password of somebody', fingerprint('a password of somebody')];
        expectNoSecrets(await page.content(), secrets);
        expect(open).toMatchObject({ problems: [], elsewhere: [] });
        await open.screenshot(`emulator-${name}`);
      }
      running.child.kill('SIGTERM');
      expect(await running.outcome).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`live at ${http};`) });
      await desktop.page.getByText('not reachable').waitFor();
    });
  });

  test('a port that is taken', async () => {
    const { exitCode, stderr } = await rdsIam([
      ...['emulate', '--engine', 'postgres', '--port', String(server.port), '--listen-port', String(server.port)],
    ]);
    expect(stderr).toContain('EADDRINUSE');
    expect(exitCode).toBe(1);
  });

  test.each([
    [['--region', 'Ireland'], {}, '--region must be'],
    [[], { AWS_REGION: 'Ireland' }, 'AWS_REGION must be'],
  ])('an invalid region: %j %j', async (args, variables, message) => {
    const { exitCode, stderr } = await rdsIam(['emulate', 'postgres://127.0.0.1', ...args], variables);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  test('no database: code 2', async () => {
    const { exitCode, stderr } = await rdsIam(['emulate']);
    expect(stderr).toContain('the database is missing');
    expect(exitCode).toBe(2);
  });
});

test('emulate in front of MySQL and MariaDB', async () => {
  await using server = await startMariadb();
  const admin = await server.connectAsSuperuser();
  await admin.query("create user owner@'%' identified by 'hunter2'");
  await admin.end();
  const url = `mysql://owner@127.0.0.1:${server.port}/mysql`;
  const running = start(process.execPath, tool('emulate', url, '--json'), { MYSQL_PWD: 'hunter2' });
  const [line] = await running.said(/^\{.*\}$/m);
  const { hostname, port, caFile, username, accessKeyId, secretAccessKey } = JSON.parse(line);
  const program = `
    const ssl = { ca: require('node:fs').readFileSync(process.env.RDS_IAM_CA_FILE, 'utf8'), verifyIdentity: true };
    require(${JSON.stringify(require.resolve('mysql2/promise'))})
      .createConnection({ uri: process.env.DATABASE_URL, ssl, enableCleartextPlugin: true })
      .then(async (connection) => {
        console.log((await connection.query('select current_user() as who'))[0][0].who);
        await connection.end();
      });`;
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'eu-west-1' };
  const at = ['--ca', caFile, `mysql://${username}@${hostname}:${port}`];
  const { stdout, stderr } = await rdsIam(['exec', ...at, '--', process.execPath, '-e', program], keys);
  expect(stderr).toBe('');
  expect(stdout).toBe('owner@%\n');
  await running.said(/accepted "owner"\n/);
  running.child.kill('SIGTERM');
  expect(await running.outcome).toMatchObject({ exitCode: 0 });
});

test.each(['postgres', 'mysql'] as const)('every name printed for %s is quoted', (engine) => {
  const text = describeConnection({
    ...{ engine, hostname: 'localhost', port: 5432, username: "o'brien", database: 'shop', region: 'eu-west-1' },
    ...{ caFile: "/tmp/o'brien/ca.pem", accessKeyId: 'AKID', secretAccessKey: 'key' },
  });
  const drivers = engine === 'postgres' ? ['pg', 'pg/postgres-js'] : ['mysql2/promise', 'mysql2/mariadb'];
  for (const name of [...drivers, 'knex', 'typeorm', 'sequelize', 'prisma']) {
    expect(text).toContain(`// @rds-iam/${name}\n`);
  }
  const program = text.split('\n').filter((each) => /^\w+.*;$/.test(each));
  expect(() => new Function('readFileSync', program.join('\n'))).not.toThrow();
});

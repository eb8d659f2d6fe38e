import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCertificateAuthority, type Emulator, startEmulator } from '@rds-iam/emulator';
import { startMariadb, startPostgres } from '@rds-iam/test-servers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

// The suite is for RDS, which is not available here: the emulator takes its place, with the same variables.
const HOSTNAME = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const KEY = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'the secret', sessionToken: 'IQoJb3JpZ2lu/+='.repeat(60) };
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const config = fileURLToPath(new URL('../vitest.config.ts', import.meta.url));
const preload = new URL('rds-names-lead-here.mjs', import.meta.url).href;

let folder: string;
const closing: (() => Promise<void>)[] = [];
let environment: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rds-iam-aws-'));
  // The databases themselves also use TLS, because they are asked whether a session is encrypted.
  const authority = await createCertificateAuthority();
  const tls = await authority.issue({ hostnames: ['127.0.0.1'] });
  const postgres = await startPostgres({ tls });
  closing.unshift(postgres.close);
  const mysql = await startMariadb({ tls });
  closing.unshift(mysql.close);
  await prepare(postgres, mysql);
  const emulate = async (engine: 'postgres' | 'mysql', { port }: { readonly port: number }): Promise<Emulator> => {
    const emulator = await startEmulator({
      engine,
      upstream: { hostname: '127.0.0.1', port, tls: { ca: authority.ca } },
      region: 'eu-west-1',
      accessKeys: [KEY],
      hostnames: [HOSTNAME],
    });
    closing.unshift(emulator.close);
    return emulator;
  };
  const [first, second] = [await emulate('postgres', postgres), await emulate('mysql', mysql)];
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, `${first.ca}\n${second.ca}`);
  environment = {
    RDS_IAM_TEST_POSTGRES_URL: `postgres://app@${HOSTNAME}:${first.port}/postgres`,
    RDS_IAM_TEST_MYSQL_URL: `mysql://app@${HOSTNAME}:${second.port}/shop`,
    RDS_IAM_TEST_CA: ca,
    AWS_ACCESS_KEY_ID: KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey,
    AWS_SESSION_TOKEN: KEY.sessionToken,
    NODE_OPTIONS: `--import=${preload}`,
  };
});
afterAll(async () => {
  for (const close of closing) await close();
  await rm(folder, { recursive: true });
});

async function prepare(
  postgres: Awaited<ReturnType<typeof startPostgres>>,
  mysql: Awaited<ReturnType<typeof startMariadb>>,
): Promise<void> {
  const onPostgres = await postgres.connectAsSuperuser();
  await onPostgres.query('create role app login');
  await onPostgres.query('create schema app authorization app');
  await onPostgres.end();
  const onMysql = await mysql.connectAsSuperuser();
  await onMysql.query("create user app@'%' identified by '' require ssl");
  await onMysql.query('create database shop');
  await onMysql.query("grant all on shop.* to app@'%'");
  await onMysql.end();
}

interface Result {
  readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
}

/** Runs the suite like its users do. @returns how it ended, its output, and its tests by name */
async function runSuite(settings: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const report = join(folder, 'report.json');
  // Without the variables of the surrounding test run.
  const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_OPTIONS|AWS_|RDS_IAM_)/.test(name));
  const isolation = {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--config', config, '--reporter=json', `--outputFile=${report}`, ...args],
    {
      env: { ...Object.fromEntries(own), ...isolation, ...settings },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [exitCode] = await once(child, 'close');
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as { testResults: readonly Result[] };
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return {
    exitCode,
    stderr,
    named: (status: string) => tests.filter((each) => each.status === status).map(({ fullName }) => fullName),
  };
}

const SUBJECTS = [
  '@rds-iam/pg',
  '@rds-iam/pg/postgres-js',
  '@rds-iam/mysql2',
  '@rds-iam/mysql2/promise',
  '@rds-iam/mysql2/mariadb',
  '@rds-iam/typeorm for postgres',
  '@rds-iam/typeorm for mysql',
  '@rds-iam/knex with pg',
  '@rds-iam/knex with mysql2',
  '@rds-iam/prisma on postgresql',
  '@rds-iam/prisma on mysql',
];

/** Packages for which the whole contract is run. What the others do with it is shown by their own tests. */
const WHOLE = ['@rds-iam/pg', '@rds-iam/mysql2', '@rds-iam/prisma on postgresql'];
const TESTS_OF_EACH = ['it logs in without a password', 'TLS is on and verified', 'a transaction is committed'];
const CHOSEN = `^(${WHOLE.join('|')}) logs in|logs in: (${TESTS_OF_EACH.join('|')})|^(PostgreSQL|MySQL) refuses`;

test("every package logs in, and three keep the whole contract, except for what takes a token's lifetime", async () => {
  const { exitCode, stderr, named } = await runSuite(environment, '-t', CHOSEN);
  expect(named('failed'), stderr).toEqual([]);
  expect(exitCode).toBe(0);
  for (const subject of SUBJECTS) {
    const kept = named('passed').filter((name) => name.startsWith(`${subject} logs in: `));
    expect(kept.length, subject).toBeGreaterThanOrEqual(WHOLE.includes(subject) ? 10 : TESTS_OF_EACH.length);
  }
  expect(named('passed').filter((name) => /^(PostgreSQL|MySQL) refuses/.test(name))).toHaveLength(3);
  const skipped = named('skipped')
    .concat(named('pending'))
    .filter((name) => new RegExp(CHOSEN).test(name));
  expect(skipped.filter((name) => !name.endsWith('an open session lives on'))).toEqual([]);
  expect(stderr).toContain(`test/aws: postgres: ${HOSTNAME}:`);
}, 300_000);

test('it fails if logins do', async () => {
  const { exitCode, stderr, named } = await runSuite(
    { ...environment, AWS_SECRET_ACCESS_KEY: 'not the secret' },
    'suite/refusals.ts',
    'suite/drivers.ts',
    '-t',
    '@rds-iam/pg logs in',
  );
  expect(exitCode, stderr).toBe(1);
  expect(named('passed')).toEqual([]);
}, 60_000);

test('without variables it skips everything, and says so', async () => {
  const { exitCode, stderr, named } = await runSuite({}, 'suite/drivers.ts', 'suite/refusals.ts');
  expect(exitCode).toBe(0);
  expect(stderr).toContain(
    'test/aws: postgres: SKIPPED, as RDS_IAM_TEST_POSTGRES_URL is not set (see test/aws/README.md)',
  );
  expect(stderr).toContain('test/aws: mysql: SKIPPED, as RDS_IAM_TEST_MYSQL_URL is not set (see test/aws/README.md)');
  expect(named('passed').concat(named('failed'))).toEqual([]);
}, 60_000);

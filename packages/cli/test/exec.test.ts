import { constants as fileConstants, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDns } from '@rds-iam/test-servers';
import mysql from 'mysql2/promise';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { askingDns, has, hasTerminal, KEYS, rdsIam, runHere, start, startInTerminal, tool } from './command-line.js';
import { execStack } from './exec-stack.js';
import { startSlowCredentials } from './slow-credentials.js';
import { startTunnel } from './tunnel.js';

const require = createRequire(import.meta.url);
/** A file that is neither a program nor a certificate. */
const manifest = fileURLToPath(new URL('../package.json', import.meta.url));
/** A user name that an option file could misread. */
const ODD_NAME = `o'b"r\\sien# [x]`;
const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const URL_OF_RDS = `postgres://app@${HOST}:5432/shop`;
/** The folder for the files that a command gets. */
const scratch = mkdtempSync(join(tmpdir(), 'rds-iam-exec-'));
/** tsx, which runs the sources, also has a folder there. */
const filesLeft = () => readdirSync(scratch).filter((name) => name.startsWith('rds-iam-'));
const variables = { ...KEYS, AWS_REGION: 'eu-west-1', TMPDIR: scratch };
afterAll(() => rmSync(scratch, { recursive: true }));

const exec = (args: readonly string[], more: Readonly<Record<string, string | undefined>> = {}) =>
  rdsIam(['exec', ...args], { ...variables, ...more });
/** For tests in which no command is run. */
const refused = (args: readonly string[]) => runHere(['exec', ...args], variables);
const node = (code: string) => ['--', process.execPath, '-e', code];
const show = (...names: string[]) =>
  node(`process.stdout.write(JSON.stringify(${JSON.stringify(names)}.map((name) => process.env[name])))`);

describe('exec and the process', () => {
  test("the command's output and exit code are passed on, and its files are removed", async () => {
    const files = `require('node:fs').readFileSync(process.env.PGSSLROOTCERT, 'utf8').includes('BEGIN CERTIFICATE')`;
    const outcome = await exec([URL_OF_RDS, ...node(`console.log(${files}); console.error('talk'); process.exit(42)`)]);
    expect(outcome).toEqual({ exitCode: 42, stdout: 'true\n', stderr: 'talk\n' });
    expect(filesLeft()).toEqual([]);
  });

  test('everything after -- belongs to the command, including flags and another --', async () => {
    const { stdout } = await exec([URL_OF_RDS, ...node('console.log(process.argv.slice(1))'), '--', '--help', '--ca']);
    expect(stdout).toBe("[ '--help', '--ca' ]\n");
  });

  test.each([
    ['no program of that name', ['--', 'rds-iam-there-is-no-such-program'], 127, 'there is no such program'],
    ['a file that is not a program', ['--', manifest], 126, 'cannot be run'],
    ['an empty name', ['--', ''], 126, 'cannot be run'],
    ['no variable for the URL', ['--url-env', 'A=B', '--', 'true'], 2, '--url-env must be the name of a variable'],
    ['no command', [], 2, 'give it after --'],
    ['a missing CA file', ['--ca', '/nonexistent/ca.pem', '--', 'true'], 2, '--ca cannot be read'],
    ['a CA file without certificates', ['--ca', manifest, '--', 'true'], 2, 'no certificate'],
  ])('%s', async (_, args, code, message) => {
    const { exitCode, stderr } = await refused([URL_OF_RDS, ...args]);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(code);
    expect(filesLeft()).toEqual([]);
  });

  test.each([
    ['rds-iam-there-is-no-such-program', 127, 'ENOENT'],
    [manifest, 126, 'EACCES'],
  ])('--json: the error for %s is one line of JSON', async (program, code, errno) => {
    const { exitCode, stdout, stderr } = await refused(['--json', URL_OF_RDS, '--', program]);
    expect(JSON.parse(stderr)).toEqual({ error: { code: errno, message: expect.stringContaining('cannot be run') } });
    expect(stdout).toBe('');
    expect(exitCode).toBe(code);
  });

  const waits = (signal: string) =>
    `process.on('${signal}', () => { console.log('got ${signal}'); process.exit(7); }); console.log('ready'); setInterval(() => {}, 1000)`;

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)('%s reaches the command', async (signal) => {
    const running = start(process.execPath, tool('exec', URL_OF_RDS, ...node(waits(signal))), variables);
    await running.said(/ready/);
    running.child.kill(signal);
    expect(await running.outcome).toEqual({ exitCode: 7, stdout: `ready\ngot ${signal}\n`, stderr: '' });
    expect(filesLeft()).toEqual([]);
  });

  test('a command ended by a signal', async () => {
    const { exitCode } = await exec([URL_OF_RDS, ...node('process.kill(process.pid, "SIGKILL")')]);
    expect(exitCode).toBe(128 + constants.signals.SIGKILL);
    expect(filesLeft()).toEqual([]);
  });

  test.skipIf(!hasTerminal)('Ctrl-C reaches the command, once', async () => {
    const running = startInTerminal(['exec', URL_OF_RDS, ...node(waits('SIGINT'))], variables);
    await running.said(/ready/);
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(stdout.match(/got SIGINT/g)).toHaveLength(1);
    expect(exitCode).toBe(7);
    expect(filesLeft()).toEqual([]);
  });

  test.skipIf(process.platform !== 'linux')("the command's output is not lost if its reader is slow", async () => {
    // A non-blocking pipe accepts only what it has room for, and most programs treat that as an error or do not notice.
    const flags = [0, 1, 2].map((descriptor) => `/proc/self/fdinfo/${descriptor}`);
    const { stdout } = await exec([URL_OF_RDS, '--', 'grep', '-h', '^flags', ...flags]);
    const values = [...stdout.matchAll(/^flags:\s+(\d+)$/gm)].map(([, octal]) => Number.parseInt(octal ?? '', 8));
    expect(values.map((value) => value & fileConstants.O_NONBLOCK)).toEqual([0, 0, 0]);
  });

  test.skipIf(!hasTerminal)('Ctrl-C while it waits for credentials: the command is not run', async () => {
    await using slow = await startSlowCredentials();
    const running = startInTerminal(['exec', URL_OF_RDS, ...node('console.log("ran")')], {
      ...variables,
      ...slow.variables,
    });
    await slow.waitedFor();
    running.child.stdin.write('\x03');
    expect(await running.outcome).toMatchObject({ exitCode: 130, stdout: '^C' });
    expect(filesLeft()).toEqual([]);
  });

  test('neither the command line nor the output contains the token', async () => {
    const line = `require('node:fs').readFileSync('/proc/' + process.ppid + '/cmdline', 'latin1')`;
    const code = `console.log(process.platform === 'linux' ? ${line} : '', process.argv)`;
    const { stdout, stderr } = await exec([URL_OF_RDS, ...node(code)]);
    expect(stdout).toContain('exec');
    expect(stdout + stderr).not.toMatch(/X-Amz-Signature=/);
  });
});

describe('exec and the environment', () => {
  test('for PostgreSQL', async () => {
    const names = ['PGHOST', 'PGPORT', 'PGUSER', 'PGDATABASE', 'PGSSLMODE', 'PGHOSTADDR', 'PGSERVICE', 'MYSQL_PWD'];
    const { stdout } = await exec([URL_OF_RDS, ...show(...names)], { PGHOSTADDR: '192.0.2.1', PGSERVICE: 'other' });
    expect(JSON.parse(stdout)).toEqual([HOST, '5432', 'app', 'shop', 'verify-full', null, null, null]);
  });

  test('a CNAME is followed: the host is the one that the token and the certificate are for', async () => {
    await using dns = await startDns();
    dns.cname('db.example.org', HOST);
    const { stdout } = await exec(['postgres://app@db.example.org/shop', ...show('PGHOST', 'DATABASE_URL')], {
      NODE_OPTIONS: askingDns(dns.address),
    });
    const [host, url] = JSON.parse(stdout);
    expect([host, new URL(url).hostname]).toEqual([HOST, HOST]);
  });

  test('a URL with the token, percent-encoded, in the requested variable', async () => {
    const { stdout } = await exec([
      URL_OF_RDS,
      '--url-env',
      'SHOP_URL',
      ...show('SHOP_URL', 'PGPASSWORD', 'DATABASE_URL'),
    ]);
    const [text, token, other] = JSON.parse(stdout);
    const url = new URL(text);
    expect(decodeURIComponent(url.password)).toBe(token);
    expect(token).toContain(`${HOST}:5432/?Action=connect`);
    expect(`${url.username}@${url.host}${url.pathname}`).toBe(`app@${HOST}:5432/shop`);
    expect(url.searchParams.get('sslmode')).toBe('verify-full');
    expect(other).toBeNull();
  });

  test("Prisma's URL, with the only root that its engine reads", async () => {
    const code = `
      const url = new URL(process.env.DATABASE_URL);
      const pem = require('node:fs').readFileSync(url.searchParams.get('sslcert'), 'utf8');
      const { subject } = new (require('node:crypto').X509Certificate)(pem);
      console.log(JSON.stringify([url.searchParams.get('sslmode'), url.searchParams.get('sslaccept'), pem.match(/BEGIN/g).length, subject]));`;
    const { stdout } = await exec([URL_OF_RDS, '--prisma', ...node(code)]);
    const [mode, accept, count, subject] = JSON.parse(stdout);
    expect([mode, accept, count]).toEqual(['require', 'strict', 1]);
    expect(subject).toContain('CN=Amazon RDS eu-west-1 Root CA RSA2048 G1');
  });

  test("Prisma's engine cannot log in to MySQL with a token", async () => {
    const { exitCode, stderr } = await refused([`mysql://app@${HOST}`, '--prisma', '--', 'true']);
    expect(stderr).toContain("Prisma's own engine cannot send a token to MySQL");
    expect(exitCode).toBe(2);
  });

  test("the environment's CA certificates for Node.js are kept, beside ours", async () => {
    const names = ['NODE_EXTRA_CA_CERTS', 'RDS_IAM_CA_FILE'];
    const code = (more: string) =>
      node(`const { readFileSync } = require('node:fs');
        const [extra, ours] = ${JSON.stringify(names)}.map((name) => readFileSync(process.env[name], 'utf8'));
        console.log(extra.startsWith(ours), extra.slice(ours.length).includes(${JSON.stringify(more)}))`);
    const own = join(scratch, 'own.pem');
    writeFileSync(own, `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\n-----END CERTIFICATE-----\n`);
    const kept = await exec([URL_OF_RDS, ...code('A'.repeat(64))], { NODE_EXTRA_CA_CERTS: own });
    expect(kept).toMatchObject({ exitCode: 0, stdout: 'true true\n' });
    for (const path of [undefined, '', '/nonexistent/ca.pem']) {
      const { stdout } = await exec([URL_OF_RDS, ...show(...names)], { NODE_EXTRA_CA_CERTS: path });
      const [extra, ours] = JSON.parse(stdout);
      expect(extra).toBe(ours);
    }
  });

  test.each([
    ['psql', 'PGHOST', []],
    ['mariadb-dump', 'MYSQL_HOST', []],
    ['psql', 'PGHOST', ['--port', '3306']],
    ['mysql', 'MYSQL_HOST', ['--port', '5999']],
  ])('%s implies the engine: %s is set with %j', async (program, variable, flags) => {
    // A script in place of the program prints the variable.
    const bin = mkdtempSync(join(scratch, 'bin-'));
    const file = join(bin, program);
    writeFileSync(file, `#!/bin/sh\necho "$${variable}"\n`, { mode: 0o755 });
    const asked = ['--hostname', HOST, '--username', 'app', ...flags, '--', file];
    // The URL is for another engine than the command.
    const others = { DATABASE_URL: variable === 'PGHOST' ? 'mysql://other@other/other' : URL_OF_RDS };
    expect(await exec(asked, others)).toEqual({ exitCode: 0, stdout: `${HOST}\n`, stderr: '' });
  });

  test('variables that the tool sets for itself are not passed on', async () => {
    const { stdout } = await exec([URL_OF_RDS, ...show('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED')]);
    expect(JSON.parse(stdout)).toEqual([null]);
  });

  test('for MySQL', async () => {
    const names = [
      'MYSQL_HOST',
      'MYSQL_TCP_PORT',
      'LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN',
      'DATABASE_URL',
      'MYSQL_PWD',
      'PGHOST',
    ];
    const { stdout } = await exec([`mysql://app@${HOST}/shop`, ...show(...names)]);
    const [host, port, clearText, url, token, pgHost] = JSON.parse(stdout);
    expect([host, port, clearText, pgHost]).toEqual([HOST, '3306', '1', null]);
    expect(url.split('?', 1)).toEqual([`mysql://app:${encodeURIComponent(token)}@${HOST}:3306/shop`]);
  });
});

describe('exec on PostgreSQL', () => {
  const { stack, ca, url } = execStack('postgres');
  const at = () => ['--ca', ca, url()];
  const query = "select current_user || ' in ' || current_database()";
  const found = () => `${stack().username} in ${stack().database}\n`;

  test.skipIf(!has('psql'))('psql, with its variables and with the URL', async () => {
    for (const command of [
      ['psql', '-Atc', query],
      ['sh', '-c', `psql "$DATABASE_URL" -Atc "${query}"`],
    ]) {
      expect(await exec([...at(), '--', ...command])).toEqual({ exitCode: 0, stdout: found(), stderr: '' });
    }
  });

  test.skipIf(!has('psql'))('psql through a tunnel: the name is the endpoint, the address the tunnel', async () => {
    const { emulator, username, database } = stack();
    // The token is for the port in the URL, where nothing listens.
    await using tunnel = await startTunnel(emulator.port);
    const dial = ['--ca', ca, '--dial', `localhost:${tunnel.port}`, url()];
    const outcome = await exec([...dial, '--', 'psql', '-Atc', query]);
    expect(outcome).toEqual({ exitCode: 0, stdout: `${username} in ${database}\n`, stderr: '' });
    const others = await exec([...dial, ...node('console.log(process.env.PGHOSTADDR)')]);
    expect(others.stdout).toBe('127.0.0.1\n');
    expect(others.stderr).toContain('for them, also give --proxy');
  });

  test.each([
    [['--dial', 'localhost'], `postgres://app@${HOST}/shop`, '--dial must be HOST:PORT'],
    [['--dial', '[fe80]:5432'], `postgres://app@${HOST}/shop`, '--dial must be HOST:PORT'],
    [['--dial', 'localhost:1'], `mysql://app@${HOST}/shop`, 'also give --proxy'],
  ])('%j is refused', async (flags, where, message) => {
    const { exitCode, stderr } = await refused([...flags, where, '--', 'psql']);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  test.skipIf(!has('psql'))('psql sends no token to a server with a certificate from another CA', async () => {
    const { refused, accepted } = stack().emulator.stats;
    const { exitCode, stderr } = await exec([...at().slice(2), '--', 'psql', '-Atc', query]);
    expect(stderr).toContain('certificate verify failed');
    expect(exitCode).toBe(2);
    expect(stack().emulator.stats).toMatchObject({ refused, accepted });
  });

  test('a Node.js program, with the URL', async () => {
    const code = `
      const { Client } = require(${JSON.stringify(require.resolve('pg'))});
      (async () => {
        const client = new Client({ connectionString: process.env.DATABASE_URL });
        await client.connect();
        console.log((await client.query("${query} as who")).rows[0].who);
        await client.end();
      })();`;
    expect(await exec([...at(), ...node(code)])).toMatchObject({ exitCode: 0, stdout: found() });
  });
});

describe('exec on MySQL and MariaDB', () => {
  const { stack, ca, url } = execStack('mysql');
  const at = () => ['--ca', ca, url()];
  const found = () => `${stack().username}@%\n`;

  test.skipIf(!has('mariadb'))('the mariadb client', async () => {
    const outcome = await exec([...at(), '--', 'mariadb', '-Ne', 'select current_user()', stack().database]);
    expect(outcome).toEqual({ exitCode: 0, stdout: found(), stderr: '' });
  });

  test.skipIf(!has('mariadb'))('the mariadb client, as a user whose name an option file could misread', async () => {
    const { upstream, emulator } = stack();
    const login = { host: upstream.hostname, port: upstream.port, ...inject('mysql').superuser };
    const admin = await mysql.createConnection(login);
    await admin.query('create user ?@? identified by ?', [ODD_NAME, '%', '']);
    const where = ['--hostname', 'localhost', '--port', String(emulator.port), '--engine', 'mysql'];
    const query = ['mariadb', '--skip-column-names', '--raw', '-e', 'select current_user()'];
    const outcome = await exec(['--ca', ca, ...where, '--username', ODD_NAME, '--', ...query]);
    await admin.query('drop user ?@?', [ODD_NAME, '%']);
    await admin.end();
    expect(outcome).toEqual({ exitCode: 0, stdout: `${ODD_NAME}@%\n`, stderr: '' });
  });

  test.skipIf(!has('mariadb'))(
    'the mariadb client sends no token to a server with a certificate from another CA',
    async () => {
      const { refused, accepted } = stack().emulator.stats;
      const { exitCode, stderr } = await exec([...at().slice(2), '--', 'mariadb', '-e', 'select 1']);
      expect(stderr).toMatch(/TLS\/SSL error/);
      expect(exitCode).toBe(1);
      expect(stack().emulator.stats).toMatchObject({ refused, accepted });
    },
  );

  test('a Node.js program', async () => {
    const code = `
      const mysql = require(${JSON.stringify(require.resolve('mysql2/promise'))});
      (async () => {
        const ca = require('node:fs').readFileSync(process.env.RDS_IAM_CA_FILE, 'utf8');
        const ssl = { ca, verifyIdentity: true };
        const connection = await mysql.createConnection({ uri: process.env.DATABASE_URL, ssl, enableCleartextPlugin: true });
        console.log((await connection.query('select current_user() as who'))[0][0].who);
        await connection.end();
      })();`;
    expect(await exec([...at(), ...node(code)])).toEqual({ exitCode: 0, stdout: found(), stderr: '' });
  });
});

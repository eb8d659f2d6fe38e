import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CREDENTIALS, REGION, type Stack, startStack } from '@rds-iam/conformance';
import { startEmulator } from '@rds-iam/emulator';
import { startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { addressOf, run, type Site, startSite } from './harness.js';
import { holdClock, letTokensExpire, loginsPastTokens } from './past-tokens.js';
import { lacks } from './programs.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('postgres');
});
afterAll(() => stack[Symbol.asyncDispose]());

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rds-iam-proxy-clients-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** libpq's variables for a site. */
const libpq = ({ config, host, port }: Site) => ({
  PGHOST: host,
  PGPORT: String(port),
  PGUSER: String(config.user),
  PGDATABASE: String(config.database),
  ...(typeof config.password === 'string' && { PGPASSWORD: config.password }),
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test.skipIf(lacks('postgresql-client'))(
  'psql: a script, COPY in both directions, and an error with its position',
  async () => {
    const site = await startSite(stack);
    const script = `
    create temp table fruit (name text);
    copy fruit from stdin;
apple
pear
\\.
    copy fruit to stdout;
    select name frm fruit;
  `;
    const { stdout, stderr } = await run('psql', ['-X', '-q'], { env: libpq(site), input: script });
    expect(stdout).toBe('apple\npear\n');
    expect(stderr).toContain('ERROR:  syntax error');
  },
);

test.skipIf(lacks('postgresql-client'))('psql over a Unix socket, without a password', async () => {
  const site = await startSite(stack, { socketFolder: folder() });
  const { stdout } = await run('psql', ['-XAtc', 'select current_user'], { env: libpq(site) });
  expect(stdout).toBe(`${stack.username}\n`);
});

test.skipIf(lacks('postgresql'))('pgbench, also with a new connection for each transaction', async () => {
  const site = await startSite(stack);
  const env = libpq(site);
  const made = await run('pgbench', ['-i', '-q', '-s', '1'], { env });
  expect(made.exitCode, made.stderr).toBe(0);
  for (const args of [
    ['-S', '-c', '8', '-t', '50', '-M', 'prepared'],
    ['-S', '-c', '2', '-t', '10', '-C'],
  ]) {
    const { exitCode, stdout, stderr } = await run('pgbench', args, { env });
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('number of failed transactions: 0');
  }
});

test.skipIf(lacks('pgbouncer'))('pgbouncer pools its connections beyond a token’s life', async () => {
  holdClock();
  const site = await startSite(stack);
  const at = folder();
  // pgbouncer does not run as root.
  chmodSync(at, 0o755);
  const { port, host, config } = site;
  const bouncer = { port: await freePort() };
  writeFileSync(
    join(at, 'pgbouncer.ini'),
    [
      '[databases]',
      `shop = host=${host} port=${port} user=${config.user} password=${config.password} dbname=${config.database}`,
      '[pgbouncer]',
      ...['listen_addr = 127.0.0.1', `listen_port = ${bouncer.port}`, 'unix_socket_dir =', 'auth_type = any'],
      ...[
        'pool_mode = transaction',
        'default_pool_size = 2',
        'server_lifetime = 0',
        'ignore_startup_parameters = extra_float_digits',
      ],
    ].join('\n'),
  );
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn('pgbouncer', [...user, join(at, 'pgbouncer.ini')]);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  await vi.waitFor(() => expect(log).toContain('process up'), { timeout: 10_000 });
  const ask = async () => {
    const client = new pg.Client({ host: '127.0.0.1', port: bouncer.port, database: 'shop', user: 'anybody' });
    await client.connect();
    const { rows } = await client.query('select current_user as name');
    await client.end();
    return rows;
  };
  for (let time = 0; time < 3; time++) {
    expect(await ask(), log).toEqual([{ name: stack.username }]);
    // pgbouncer's connections to the proxy end, and it opens new ones.
    stack.emulator.dropConnections();
    await vi.waitFor(() => expect(site.proxy.stats.connected).toBe(0), { timeout: 10_000 });
    letTokensExpire();
  }
  expect(site.proxy.stats.logins).toBeGreaterThanOrEqual(3);
});

const PYTHON = '/usr/bin/python3';

test.skipIf(lacks('python3-psycopg2'))('Python: psycopg2, beyond a token’s life', async () => {
  const site = await startSite(stack);
  const { password, database, user } = site.config;
  const program = `
import sys, psycopg2
while True:
    connection = psycopg2.connect(host='${site.host}', port=${site.port}, user='${user}', password='${password}', dbname='${database}')
    cursor = connection.cursor()
    cursor.execute('select current_user')
    print(cursor.fetchone()[0], flush=True)
    connection.close()
    if not sys.stdin.readline(): break
`;
  await loginsPastTokens(PYTHON, ['-c', program], stack.username);
});

const JDBC = '/usr/share/java/postgresql.jar';

test.skipIf(lacks('default-jdk-headless', 'libpostgresql-jdbc-java'))(
  'Java: JDBC, past a token’s life',
  {
    timeout: 60_000,
  },
  async () => {
    const site = await startSite(stack);
    const { password, database, user } = site.config;
    const program = join(folder(), 'Logins.java');
    writeFileSync(
      program,
      `import java.sql.*;
public class Logins {
  public static void main(String[] args) throws Exception {
    var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
    do {
      try (var connection = DriverManager.getConnection("jdbc:postgresql://${site.host}:${site.port}/${database}", "${user}", "${password}");
           var prepared = connection.prepareStatement("select current_user where 1 = ?")) {
        prepared.setInt(1, 1);
        var result = prepared.executeQuery();
        result.next();
        System.out.println(result.getString(1));
      }
    } while (lines.readLine() != null);
  }
}
`,
    );
    await loginsPastTokens('java', ['-cp', JDBC, program], stack.username);
  },
);

/** The folder of the programs in Debian's packages. */
const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
const binaries = versions
  .map((version) => `/usr/lib/postgresql/${version}/bin`)
  .find((at) => existsSync(join(at, 'pg_basebackup')));

// They can only read servers of their own version or older.
describe.skipIf(lacks('postgresql') || binaries === undefined)('with a server of the same version', () => {
  test('pg_dump and pg_restore, with several connections; pg_basebackup over replication', {
    timeout: 180_000,
  }, async () => {
    const programs = binaries ?? '';
    await using server = await startPostgres({
      binaries: programs,
      hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
      settings: { wal_level: 'logical', max_wal_senders: '4' },
    });
    const admin = await server.connectAsSuperuser();
    await admin.query('create role app login superuser');
    await admin.query('create database shop owner app');
    await admin.query('create database copy owner app');
    await admin.end();
    await using emulator = await startEmulator({
      upstream: { hostname: server.hostname, port: server.port },
      ...{ region: REGION, accessKeys: [CREDENTIALS] },
    });
    const iam = { region: REGION, credentials: CREDENTIALS, ca: emulator.ca };
    const target = { engine: 'postgres', hostname: 'localhost', port: emulator.port, username: 'app' } as const;
    const { proxy } = await startSite(stack, { targets: [target], iam });
    const { host, port } = addressOf(proxy);
    const env = { PGHOST: host, PGPORT: String(port), PGUSER: 'app', PGPASSWORD: proxy.password ?? '' };
    const ran = async (program: string, ...args: string[]) => {
      const { exitCode, stdout, stderr } = await run(join(programs, program), args, { env });
      expect(exitCode, stderr).toBe(0);
      return stdout;
    };
    const fill = 'create table fruit as select n, md5(n::text) as name from generate_series(1, 20000) n';
    await ran('psql', '-Xqc', fill, 'shop');
    await ran('psql', '-Xqc', 'create table seeds as select n from generate_series(1, 20000) n', 'shop');
    const dump = join(folder(), 'dump');
    await ran('pg_dump', '-Fd', '-j', '2', '-f', dump, 'shop');
    await ran('pg_restore', '-j', '2', '-d', 'copy', dump);
    const sum = "select count(*), md5(string_agg(name, '' order by n)) from fruit";
    expect(await ran('psql', '-XAtc', sum, 'copy')).toBe(await ran('psql', '-XAtc', sum, 'shop'));

    const backup = join(folder(), 'backup');
    await ran('pg_basebackup', '-D', backup, '-X', 'stream', '--checkpoint=fast');
    expect(readdirSync(backup)).toContain('PG_VERSION');
    await ran('pg_recvlogical', '-d', 'shop', '--slot=one', '--create-slot', '--plugin=test_decoding');
    await ran('pg_recvlogical', '-d', 'shop', '--slot=one', '--drop-slot');
  });
});

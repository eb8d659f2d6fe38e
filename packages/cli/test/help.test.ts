import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { KEYS, runHere, start, tool } from './command-line.js';

const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const COMMANDS = ['token', 'exec', 'doctor', 'policy', 'sql', 'ca', 'enable', 'disable', 'emulate', 'proxy'];

/** The modules of ours and of the AWS SDK that a command line loads. */
async function loadedBy(args: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-loaded-'));
  try {
    await start(process.execPath, tool(...args), { ...KEYS, NODE_V8_COVERAGE: folder }).outcome;
    const reports = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    const urls: string[] = reports.flatMap(({ result }) => result.map(({ url }: { url: string }) => url));
    const files: Record<string, string[]> = JSON.parse(readFileSync(join(inject('rdsIam'), 'modules.json'), 'utf8'));
    const modules = urls.flatMap((url) => files[url.slice(url.lastIndexOf('/') + 1)] ?? []);
    const owners = modules.map((module) => /\/packages\/(\w+)\/src\/|node_modules\/(@aws-sdk\/[\w-]+)\//.exec(module));
    return [...new Set(owners.map((owner) => owner?.[1] ?? owner?.[2] ?? ''))].filter(Boolean).sort();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('help names every command, and loads none of their modules', async () => {
  const { exitCode, stdout, stderr } = await runHere(['--help']);
  expect(exitCode).toBe(0);
  expect(stderr).toBe('');
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  expect(await loadedBy(['--help'])).toEqual(['cli']);
});

test('a token with the region in the host name loads neither the AWS SDK nor the emulator', async () => {
  const token = await loadedBy(['token', 'postgres://app@mydb.abc123.eu-west-1.rds.amazonaws.com']);
  expect(token).toEqual(['cli', 'core']);
});

test.each(COMMANDS)('%s --help has an example and the exit codes', async (command) => {
  const { exitCode, stdout, stderr } = await runHere([command, '--help']);
  expect(exitCode).toBe(0);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/Example:\n {2}\$ .*rds-iam /);
  expect(stdout).toContain('Exit codes: 0 ');
});

test('a policy for given ids loads no AWS client', async () => {
  const ids = ['--resource-id', 'db-ABC', '--account-id', '123456789012', '--region', 'eu-west-1'];
  expect(await loadedBy(['policy', '--username', 'app', ...ids])).toEqual(['cli', 'core']);
});

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(await runHere(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test.each([
  [['tokn'], "unknown command 'tokn'"],
  [['token', '--hostnam', 'x'], "unknown option '--hostnam'"],
  // The result of an unset shell variable, which RDS would take for all instances.
  [['enable', '--yes', '--region', 'eu-west-1', '--instance', ''], '--instance is empty'],
  [['policy', '--username', 'app', ''], '--username is empty'],
  [['token', '--', 'psql'], 'only exec takes a command'],
  [['sql', '--grant', 'all'], "'all' is invalid"],
])('%j is wrong usage: code 2, with a message on stderr', async (args, message) => {
  const { exitCode, stdout, stderr } = await runHere(args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(`rds-iam: error: `);
  expect(stderr).toContain(message);
});

test.each([
  [['tokn', '--json'], 'ERR_RDS_IAM_USAGE', "unknown command 'tokn'", 2],
  [['token', '--json', '--hostnam', 'x'], 'ERR_RDS_IAM_USAGE', "unknown option '--hostnam'", 2],
  [['token', '--json', `postgres://app@${HOST}`], 'ERR_RDS_IAM_CREDENTIALS', 'no AWS credentials', 3],
  [['token', '--json', `postgres://app@${HOST}`, '--region', 'Ireland'], 'ERR_RDS_IAM_USAGE', '--region must be', 2],
  [['exec', '--json', `postgres://app@${HOST}`], 'ERR_RDS_IAM_USAGE', 'there is no command', 2],
  [['enable', '--json'], 'ERR_RDS_IAM_USAGE', 'the database is missing', 2],
  [['emulate', '--json'], 'ERR_RDS_IAM_USAGE', 'the database is missing', 2],
])('%j: the error is one line of JSON', async (args, code, message, exitCode) => {
  const outcome = await runHere(args);
  expect(outcome.stderr.split('\n')).toHaveLength(2);
  const { error, ...rest } = JSON.parse(outcome.stderr);
  expect(rest).toEqual({});
  expect(error).toEqual({ code, message: expect.stringContaining(message) });
  expect(outcome).toMatchObject({ stdout: '', exitCode });
});

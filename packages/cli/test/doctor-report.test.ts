// The doctor from the user's point of view: its output, its colors, and its exit code.
import { readFileSync } from 'node:fs';
import { CREDENTIALS, expectNoSecrets } from '@rds-iam/test-servers';
import { silence } from '@rds-iam/test-servers/aws';
import { describe, expect, test } from 'vitest';
import { hasTerminal, runHere, start, startInTerminal, tool } from './command-line.js';
import { HOST, sharedRdsLikePostgres, simulated, startWorld } from './doctor-world.js';

const { rdsLike } = sharedRdsLikePostgres();

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** A real run as it would look on RDS: replaces the names that belong to this machine and the emulator. */
function asOnRds(printed: string, port: number): string {
  return printed
    .replaceAll(`:${port}`, ':5432')
    .replaceAll('127.0.0.1', '10.0.12.34')
    .replace(/within \d+ ms/g, 'within 9 ms')
    .replace(
      /certificate of rds-iam emulator, issued by rds-iam emulator CA \w+, until [\d-]+/,
      `certificate of ${HOST}, issued by Amazon RDS eu-west-1 Root CA RSA2048 G1, until 2027-06-30`,
    )
    .replace(/PostgreSQL \d+\.\d+/, 'PostgreSQL 16.4');
}

describe('the report', () => {
  test('of a failed login is the one in the README', async () => {
    const [, block = ''] = /```console\n\$ rds-iam doctor [^\n]*\n([\s\S]*?)```/.exec(readme) ?? [];
    // The README shows no other run, since nothing would check it.
    expect(readme.match(/```console/g)).toHaveLength(1);
    await using world = await startWorld(
      { ...rdsLike(), accessKeys: [{ ...CREDENTIALS, usernames: ['somebody-else'] }] },
      { iam: { SimulatePrincipalPolicy: simulated('implicitDeny') } },
    );
    const { exitCode, stdout, stderr } = await runHere(world.args(), world.variables, world.dns.address);
    expect(stderr).toBe('');
    expect(asOnRds(stdout, world.emulator.port)).toBe(block);
    expect(exitCode).toBe(1);
    expectNoSecrets(stdout, [CREDENTIALS.secretAccessKey]);
  });

  test('of a successful login ends by saying so', async () => {
    await using world = await startWorld(rdsLike());
    const { exitCode, stdout } = await runHere(world.args(), world.variables, world.dns.address);
    expect(stdout).toMatch(/^passed {7}credentials {2}access key AKIDEXAMPLE/);
    expect(stdout).toMatch(/\n\nThe login works\. 1 of 15 steps were not checked\.\n$/);
    expect(stdout).not.toContain('\x1b');
    expect(exitCode).toBe(0);
  });
});

test.each([
  ['no host', ['--username', 'app', '--port', '5432'], 'give --hostname'],
  ['no engine', ['--hostname', HOST, '--username', 'app', '--port', '6000'], 'give --engine, or a URL'],
  ['an invalid region', [`postgres://app@${HOST}`, '--region', 'Ireland'], '--region must be'],
  ['an invalid time', [`postgres://app@${HOST}`, '--timeout', '5s'], '--timeout must be'],
  ['no time at all', [`postgres://app@${HOST}`, '--timeout', '0'], '--timeout must be'],
  ['a missing CA file', [`postgres://app@${HOST}`, '--ca', '/nonexistent.pem'], '--ca cannot be read'],
  ['a user that no statement can name', [`postgres://a%0Ab@${HOST}`], '--username is empty or has a control'],
  ['a command', [`postgres://app@${HOST}`, '--', 'psql'], 'only exec takes a command'],
])('%s: code 2, and what to do', async (_, args, message) => {
  const { exitCode, stdout, stderr } = await runHere(['doctor', ...args]);
  expect(stderr).toContain(message);
  expect(stdout).toBe('');
  expect(exitCode).toBe(2);
});

describe('Ctrl-C in the middle', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it at once', async (signal) => {
    await using world = await startWorld(rdsLike(), { rds: { DescribeDBInstances: silence() } });
    const args = world.args({ flags: ['--timeout', '600'] });
    const { child, said, outcome } = start(process.execPath, tool(...args), world.variables);
    await said(/^passed +tls /m);
    child.kill(signal);
    const { stdout, stderr } = await outcome;
    // Exit codes 130 and 143 in a shell.
    expect(child.signalCode).toBe(signal);
    expect(stdout).not.toContain('The login');
    expect(stderr).toBe('');
  });

  test.skipIf(!hasTerminal)('in a terminal with colors', async () => {
    await using world = await startWorld(rdsLike(), { rds: { DescribeDBInstances: silence() } });
    const running = startInTerminal(world.args({ flags: ['--timeout', '600'] }), world.variables);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: color sequences begin with one
    await running.said(/\x1b\[32mpassed\x1b\[39m +tls /);
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(exitCode).toBe(130);
    expect(stdout).not.toMatch(/ {4}at |The login/);
  });

  test.skipIf(!hasTerminal)('NO_COLOR turns off the colors', async () => {
    await using world = await startWorld(rdsLike());
    const { stdout, exitCode } = await startInTerminal(world.args(), { ...world.variables, NO_COLOR: '1' }).outcome;
    expect(stdout).toContain('The login works.');
    expect(stdout).not.toContain('\x1b[3');
    expect(exitCode).toBe(0);
  });
});

import { startDns } from '@rds-iam/test-servers';
import { describe, expect, test } from 'vitest';
import { hasTerminal, KEYS, runHere, startInTerminal } from './command-line.js';
import { startSlowCredentials } from './slow-credentials.js';

const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const TOKEN = new RegExp(`^${HOST}:5432/\\?Action=connect&DBUser=app&\\S+\n$`);

describe('token', () => {
  test.each([
    ['flags', ['--hostname', HOST, '--port', '5432', '--username', 'app'], {}],
    ["flags, with the engine's port", ['--hostname', HOST, '--engine', 'aurora-postgresql', '--username', 'app'], {}],
    ['a URL', [`postgres://app@${HOST}/shop`], {}],
    ['DATABASE_URL', [], { DATABASE_URL: `postgresql://app@${HOST}:5432/shop` }],
    ["libpq's variables", [], { PGHOST: HOST, PGUSER: 'app' }],
    [
      'flags first, then a URL, then the environment',
      [`postgres://bob@${HOST}`, '--username', 'app'],
      { PGHOST: 'x', PGUSER: 'y' },
    ],
  ])('takes its settings from %s', async (_, args, variables) => {
    const { exitCode, stdout, stderr } = await runHere(['token', ...args], { ...KEYS, ...variables });
    expect(stderr).toBe('');
    expect(stdout).toMatch(TOKEN);
    expect(exitCode).toBe(0);
  });

  test('--json adds expiration and endpoint', async () => {
    const asked = Date.now();
    const { stdout } = await runHere(['token', `mysql://app@${HOST}`, '--json'], KEYS);
    const { token, expiration, ...endpoint } = JSON.parse(stdout);
    expect(endpoint).toEqual({ hostname: HOST, port: 3306, username: 'app' });
    expect(token).toContain(`${HOST}:3306/?Action=connect`);
    expect(Date.parse(expiration) - asked).toBeGreaterThan(890_000);
    expect(Date.parse(expiration) - asked).toBeLessThan(930_000);
  });

  test('a CNAME is followed to the name that the token must be for', async () => {
    await using dns = await startDns();
    dns.cname('db.example.org', HOST);
    const { stdout } = await runHere(['token', 'postgres://app@db.example.org', '--json'], KEYS, dns.address);
    expect(JSON.parse(stdout)).toMatchObject({ hostname: HOST, port: 5432 });
  });

  test('a password in a URL is not used, and not shown', async () => {
    const { exitCode, stdout, stderr } = await runHere(['token', `postgres://app:hunter2@${HOST}`], KEYS);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('the password in the URL is not used');
    expect(stdout + stderr).not.toContain('hunter2');
  });

  test.each([
    ['no host', ['--port', '5432', '--username', 'app'], {}, 'give --hostname'],
    ['no user', ['--hostname', HOST, '--port', '5432'], {}, 'give --username'],
    ['no port', ['--hostname', HOST, '--username', 'app'], {}, 'give --port, or --engine'],
    ['an invalid port', ['--hostname', HOST, '--username', 'app', '--port', '5432x'], {}, '--port must be'],
    ['an unknown engine', ['--engine', 'oracle'], {}, '--engine must be one of'],
    ['an engine that contradicts the URL', [`mysql://app@${HOST}`, '--engine', 'postgres'], {}, 'of another engine'],
    ['another URL', ['https://app:hunter2@example.org'], {}, 'the URL does not name a PostgreSQL'],
    ['a broken DATABASE_URL', [], { DATABASE_URL: 'postgres://app:hunter2@:port' }, 'DATABASE_URL does not name'],
    ['an invalid region', [`postgres://app@${HOST}`, '--region', 'Ireland'], {}, '--region must be'],
    ['the wrong region', [`postgres://app@${HOST}`, '--region', 'eu-west-2'], {}, 'is in eu-west-1'],
    ['no region', ['postgres://app@127.0.0.1'], {}, 'give --region or set AWS_REGION'],
    ['an invalid host name', ['--hostname', 'my db', '--port', '5432', '--username', 'app'], {}, '--hostname has'],
    ['a profile without a name', [`postgres://app@${HOST}`, '--profile', ''], {}, '--profile is empty'],
    ['a missing CA file', [`postgres://app@${HOST}`, '--ca', '/nonexistent'], {}, '--ca cannot be read'],
  ])('%s: code 2, and what to do', async (_, args, variables, message) => {
    const { exitCode, stdout, stderr } = await runHere(['token', ...args], { ...KEYS, ...variables });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('hunter2');
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  test.skipIf(!hasTerminal)('Ctrl-C while it waits for credentials', async () => {
    await using slow = await startSlowCredentials();
    const running = startInTerminal(['token', `postgres://app@${HOST}`], slow.variables);
    await slow.waitedFor();
    running.child.stdin.write('\x03');
    expect(await running.outcome).toMatchObject({ exitCode: 130, stdout: '^C' });
  });

  test('no credentials: code 3', async () => {
    const { exitCode, stderr } = await runHere(['token', `postgres://app@${HOST}`]);
    expect(stderr).toContain('rds-iam: error: no AWS credentials');
    expect(stderr).toContain('or give --profile');
    expect(exitCode).toBe(3);
  });
});

// What the doctor finds without AWS; each cause is real, in the server, the emulator in front of it, or the DNS.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { CREDENTIALS, expectNoSecrets, startDns } from '@rds-iam/test-servers';
import { failure } from '@rds-iam/test-servers/aws';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { HOST, mostLikely, outcomes, RESOURCE, sharedRdsLikePostgres, startWorld, tokensAt } from './doctor-world.js';
import { startTunnel } from './tunnel.js';

const { postgres, rdsLike } = sharedRdsLikePostgres();

const MINUTES_MS = 60_000;

describe('a successful login', () => {
  test('every step is checked and passes, and the code is 0', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine();
    expect(seen.report.steps.map(({ step, outcome }) => `${step}: ${outcome}`)).toEqual([
      ...['credentials: passed', 'identity: passed', 'clock: passed', 'name: passed', 'region: passed'],
      ...['tcp: passed', 'tls: passed', 'database: passed', 'policy: passed', 'login: passed', 'log: not-checked'],
      ...['version: passed', 'encryption: passed', 'account: passed', 'master: passed'],
    ]);
    expect(seen.report).toMatchObject({ works: true, hostname: HOST, username: 'app', engine: 'postgres' });
    expect(seen.report.cause).toBeUndefined();
    expect(seen.exitCode).toBe(0);
    expect(seen.stderr).toBe('');
    expectNoSecrets(seen.stdout, [CREDENTIALS.secretAccessKey]);
    expect(world.aws.calls.find(({ action }) => action === 'SimulatePrincipalPolicy')?.parameters).toMatchObject({
      PolicySourceArn: 'arn:aws:iam::123456789012:user/app',
      'ActionNames.member.1': 'rds-db:connect',
      'ResourceArns.member.1': RESOURCE,
    });
    // It is a login like any other, and the only one.
    expect(world.emulator.stats).toMatchObject({ accepted: 1, distinctTokens: 1 });
  });
});

describe('--dial', () => {
  test('through a tunnel, with a name that is not in DNS', async () => {
    await using world = await startWorld(rdsLike());
    await using nowhere = await startDns();
    await using tunnel = await startTunnel(world.emulator.port);
    const { port } = tunnel;
    const seen = await world.examine({
      flags: ['--dial', `127.0.0.1:${port}`],
      dns: nowhere.address,
    });
    expect(seen.step('name').seen).toBe(`${HOST}, reached at 127.0.0.1:${port} because of --dial`);
    expect(seen.step('tcp').seen).toContain(`127.0.0.1:${port}`);
    expect(seen.step('tls')).toMatchObject({
      outcome: 'passed',
      seen: expect.stringContaining('certificate of rds-iam emulator'),
    });
    expect(seen.report.works).toBe(true);
    expect(world.emulator.stats.accepted).toBe(1);
  });

  test('a tunnel to another server: the report names the certificate, and no token is sent', async () => {
    await using world = await startWorld({ ...rdsLike(), faults: { tls: 'wrong-name' } });
    const seen = await world.examine({ flags: ['--dial', `localhost:${world.emulator.port}`] });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'wrong-name' });
    expect(seen.step('tls').causes[0]?.fix).toEqual([
      { do: `check where the tunnel at localhost:${world.emulator.port} leads: another server has answered` },
    ]);
    expect(tokensAt(world)).toBe(0);
  });

  test('a tunnel that does not exist', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({ flags: ['--dial', '127.0.0.1:9'] });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'port-closed' });
    expect(seen.step('tcp').causes[0]?.why).toContain('where --dial leads');
  });
});

describe('credentials', () => {
  test('none', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({
      variables: { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
    });
    expect(mostLikely(seen)).toEqual({ exitCode: 3, diagnosis: 'no-credentials' });
    // Steps that need no credentials are checked anyway, and the others do not count as passed.
    expect(outcomes(seen)).toMatchObject({ credentials: 'failed', tcp: 'passed', tls: 'passed', clock: 'passed' });
    for (const step of ['identity', 'database', 'policy', 'login', 'log', 'account']) {
      expect(seen.step(step).outcome).toBe('not-checked');
    }
    expect(tokensAt(world)).toBe(0);
  });

  test('expired, according to their own expiration', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({ variables: { AWS_CREDENTIAL_EXPIRATION: '2026-01-01T00:00:00Z' } });
    expect(mostLikely(seen)).toEqual({ exitCode: 3, diagnosis: 'expired-credentials' });
    expect(seen.report.cause?.fix).toContainEqual({ shell: 'aws sso login' });
  });

  test('from a profile, and from one that does not exist', async () => {
    await using world = await startWorld(rdsLike());
    const file = join(dirname(world.caFile), 'credentials');
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    writeFileSync(file, `[team]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`);
    const variables = {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SHARED_CREDENTIALS_FILE: file,
    };
    const found = await world.examine({ flags: ['--profile', 'team'], variables });
    expect(found.exitCode).toBe(0);
    expect(found.step('credentials').seen).toContain('of the shared AWS files, profile "team"');
    // The RDS API is asked with the same profile.
    expect(found.step('database').outcome).toBe('passed');
    const none = await world.examine({ flags: ['--profile', 'teem'], variables });
    expect(mostLikely(none)).toEqual({ exitCode: 3, diagnosis: 'no-credentials' });
    expect(none.report.cause?.why).toContain('the profile "teem" does not exist');
  });

  test('expired, according to AWS', async () => {
    const expired = failure(400, 'ExpiredToken', 'The security token included in the request is expired');
    const accessKeys = [{ ...CREDENTIALS, sessionToken: 'newer' }];
    await using world = await startWorld({ ...rdsLike(), accessKeys }, { sts: { GetCallerIdentity: expired } });
    const seen = await world.examine({ variables: { AWS_SESSION_TOKEN: 'older' } });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'expired-credentials' });
    expect(seen.step('identity').outcome).toBe('failed');
    expect(seen.step('login').seen).toMatch(/PAM authentication failed/);
  });

  test('with a deleted key', async () => {
    const unknown = failure(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.');
    await using world = await startWorld(rdsLike(), { sts: { GetCallerIdentity: unknown } });
    world.emulator.setFaults({ revokedAccessKeys: [CREDENTIALS.accessKeyId] });
    expect(mostLikely(await world.examine())).toEqual({ exitCode: 1, diagnosis: 'refused-credentials' });
  });
});

describe('the clock', () => {
  test.each([
    ['behind', 20],
    ['ahead', -20],
  ])("%s AWS's", async (word, minutes) => {
    await using world = await startWorld(rdsLike());
    world.aws.dateOffsetMs = minutes * MINUTES_MS;
    world.emulator.setFaults({ clockOffsetMs: minutes * MINUTES_MS });
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'clock-skew' });
    expect(seen.step('clock')).toMatchObject({
      outcome: 'failed',
      seen: expect.stringContaining(`20 minutes ${word}`),
    });
    const [{ do: offset = '' } = {}] = seen.report.cause?.fix.filter(({ do: hand }) => hand) ?? [];
    expect(Number(/clockOffsetMs: (-?\d+)/.exec(offset)?.[1]) / MINUTES_MS).toBeCloseTo(minutes, 1);
  });
});

describe('the name and the region', () => {
  test('a CNAME of the endpoint: it works, and a warning for other programs', async () => {
    await using world = await startWorld(rdsLike());
    world.dns.cname('db.example.org', HOST);
    const seen = await world.examine({ host: 'db.example.org' });
    expect(seen.exitCode).toBe(0);
    expect(seen.step('name')).toMatchObject({
      outcome: 'warned',
      seen: `db.example.org → ${HOST} (127.0.0.1)`,
      causes: [{ diagnosis: 'cname', fix: [{ do: `give other programs the host name ${HOST}` }] }],
    });
  });

  test('a custom name that is not a CNAME', async () => {
    const hostnames = [HOST];
    await using world = await startWorld({ ...rdsLike(), hostnames });
    world.dns.a('db.example.org', '127.0.0.1');
    const seen = await world.examine({ host: 'db.example.org' });
    // The certificate is the endpoint's.
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'wrong-name' });
    expect(seen.step('name')).toMatchObject({ outcome: 'warned', causes: [{ diagnosis: 'not-an-rds-name' }] });
    expect(seen.step('login').outcome).toBe('not-checked');
  });

  test('a name that is not in DNS', async () => {
    await using world = await startWorld(rdsLike());
    world.dns.remove(HOST);
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'name-not-found' });
    expect(outcomes(seen)).toMatchObject({ name: 'failed', tcp: 'not-checked', tls: 'not-checked' });
  });

  test('a DNS that does not answer', async () => {
    await using world = await startWorld(rdsLike());
    world.dns.fail('db.example.org', 'silence');
    const seen = await world.examine({ host: 'db.example.org', flags: ['--timeout', '1'] });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'dns-failed' });
  });

  test('a region that contradicts the host name', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({ flags: ['--region', 'eu-west-2'] });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'wrong-region' });
    expect(seen.step('region').outcome).toBe('failed');
    expect(seen.report.cause?.fix).toEqual([{ do: 'leave out --region: the host name contains it' }]);
    expect(tokensAt(world)).toBe(0);
  });

  test('a wrong region, and a name without one: the server refuses the token', async () => {
    const emulated = { ...rdsLike(), hostnames: ['localhost'] };
    await using world = await startWorld(emulated, {}, { awsRegion: 'eu-west-2' });
    const seen = await world.examine({ host: 'localhost', flags: ['--region', 'eu-west-2'] });
    expect(seen.exitCode).toBe(1);
    expect(world.emulator.stats.refused['wrong-region']).toBe(1);
    expect(seen.step('region')).toMatchObject({ outcome: 'warned', causes: [{ diagnosis: 'wrong-region' }] });
    expect(
      seen
        .step('login')
        .causes.map(({ diagnosis }) => diagnosis)
        .slice(0, 2),
    ).toEqual(['not-an-rds-name', 'wrong-region']);
  });

  test('no region at all', async () => {
    await using world = await startWorld({ ...rdsLike(), hostnames: ['localhost'] });
    const seen = await world.examine({ host: 'localhost', variables: { AWS_REGION: undefined } });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'no-region' });
  });
});

describe('the network and TLS', () => {
  async function closedPort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  test('a closed port', async () => {
    await using world = await startWorld(rdsLike());
    const port = await closedPort();
    const seen = await world.examine({ port });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'port-closed' });
    expect(seen.step('tls').outcome).toBe('not-checked');
    expect(seen.report.cause?.fix[0]?.['shell']).toContain('--db-instance-identifier mydb --region eu-west-1');
  });

  test.each([
    ['off', 'no-tls'],
    ['other-ca', 'wrong-ca'],
    ['wrong-name', 'wrong-name'],
    ['expired', 'expired-certificate'],
  ] as const)('TLS that is %s: %s, and no token is sent', async (tls, diagnosis) => {
    await using world = await startWorld(rdsLike());
    world.emulator.setFaults({ tls });
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis });
    expect(outcomes(seen)).toMatchObject({ tcp: 'passed', tls: 'failed', login: 'not-checked' });
    expect(tokensAt(world)).toBe(0);
  });

  test('a server that is not an RDS one, without --ca', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({ ca: undefined });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'wrong-ca' });
    expect(seen.report.cause?.fix).toEqual([
      { shell: 'rds-iam ca --region eu-west-1 --output rds-ca.pem' },
      {
        shell: `rds-iam doctor --engine postgres --hostname ${HOST} --port ${world.emulator.port} --username app --database shop --ca rds-ca.pem`,
      },
    ]);
  });

  test('something other than a database', async () => {
    await using world = await startWorld(rdsLike());
    const { port } = new URL(world.aws.url);
    const seen = await world.examine({ port: Number(port) });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'no-answer' });
  });

  test('a server that sends nothing within the time limit', async () => {
    await using world = await startWorld(rdsLike());
    world.emulator.setFaults({ hang: 'before-tls' });
    const seen = await world.examine({ flags: ['--timeout', '1'] });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'no-answer' });
    expect(seen.step('tls').seen).toContain('no answer within 1 s');
  });
});

describe('the account, on PostgreSQL', () => {
  test('a user without rds_iam', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({ user: 'clerk' });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'missing-grant' });
    expect(seen.step('login').seen).toBe('the server asks for a stored password');
    const fix = seen.report.cause?.fix.flatMap(({ sql = [] }) => sql) ?? [];
    expect(fix[0]).toBe('GRANT rds_iam TO "clerk";');
    expect(fix).toContain('CREATE USER "clerk" WITH LOGIN;');
    // And that fixes it.
    await postgres().run(...fix.slice(0, 1));
    try {
      await using mended = await startWorld({ ...rdsLike(), iamUsers: await postgres().iamUsers() });
      expect((await mended.examine({ user: 'clerk' })).exitCode).toBe(0);
    } finally {
      await postgres().run('revoke rds_iam from clerk');
    }
  });

  test('a master user with rds_iam: the login works, and the password is locked out', async () => {
    const byPassword = async () => {
      const { port } = postgres().server;
      const ssl = { ca: postgres().ca };
      const client = new pg.Client({
        ...{ host: '127.0.0.1', port, ssl },
        user: 'master',
        password: 'stored',
        database: 'shop',
      });
      await client.connect();
      await client.end();
    };
    await byPassword();
    await postgres().run('grant rds_iam to master');
    try {
      await using world = await startWorld({ ...rdsLike(), iamUsers: await postgres().iamUsers() });
      const seen = await world.examine({ user: 'master' });
      expect(seen.exitCode).toBe(0);
      expect(seen.step('master')).toMatchObject({
        outcome: 'warned',
        causes: [{ diagnosis: 'master-has-rds-iam', fix: [{ sql: 'REVOKE rds_iam FROM "master";' }] }],
      });
      await postgres().run(seen.step('master').causes[0]?.fix[0]?.['sql'] ?? '');
      expect((await world.examine()).step('master').outcome).toBe('passed');

      // Indirectly, through a user that is a member.
      await postgres().run('grant app to master');
      const [mend] = (await world.examine()).step('master').causes[0]?.fix ?? [];
      expect(mend).toEqual({ sql: 'REVOKE "app" FROM "master";' });
      await postgres().run(mend?.['sql'] ?? '');
      // The membership that the creator of a user gets since PostgreSQL 16: it has no effect, and is harmless on RDS.
      await postgres().run('grant app to master with admin true, inherit false, set false');
      expect((await world.examine()).step('master').outcome).toBe('passed');
    } finally {
      await postgres().run('revoke rds_iam, app from master');
    }
    await byPassword();
  });

  test('a database that does not exist, and one that this user may not use', async () => {
    await using world = await startWorld(rdsLike());
    expect(mostLikely(await world.examine({ database: 'shopp' }))).toEqual({
      exitCode: 1,
      diagnosis: 'no-such-database',
    });
    await postgres().run('revoke connect on database shop from public');
    try {
      const seen = await world.examine();
      expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'no-right-to-connect' });
      const [{ sql = '' } = {}] = seen.report.cause?.fix ?? [];
      await postgres().run(sql);
      expect((await world.examine()).exitCode).toBe(0);
    } finally {
      await postgres().run('revoke connect on database shop from app', 'grant connect on database shop to public');
    }
  });
});

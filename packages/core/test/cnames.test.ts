import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type DnsServer, setAwsEnvironment, startDns } from '@rds-iam/test-servers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRdsIam, parseRdsHostname, type RdsIamError, type RdsIamOptions } from '../src/index.js';

const RDS = 'db.abc123.eu-west-1.rds.amazonaws.com';
const ALIAS = 'db.internal.example';
const credentials = { accessKeyId: 'AKIACNAME', secretAccessKey: 'a+secret/that0is+FORTY/characters+long00' };

let server: DnsServer;
let restoreEnvironment: () => void;
let restoreServers: () => void;

beforeEach(async () => {
  restoreEnvironment = setAwsEnvironment();
  server = await startDns();
  const servers = dns.getServers();
  restoreServers = () => dns.setServers(servers);
  dns.setServers([server.address]);
});

afterEach(async () => {
  restoreServers();
  restoreEnvironment();
  await server.close();
});

/** The host, port and region that a token is signed for. */
async function signedFor(hostname: string, options?: RdsIamOptions) {
  const { token } = await createRdsIam({ credentials, ...options }).getToken({ hostname, port: 5432, username: 'app' });
  return scopeOf(token);
}

function scopeOf(token: string) {
  const [, host = '', port = '', query = ''] = /^([^:/]*):(\d+)\/\?(.*)$/.exec(token) ?? [];
  const [, , region] = (new URLSearchParams(query).get('X-Amz-Credential') ?? '').split('/');
  return { host, port, region };
}

async function failureOf(asking: Promise<unknown>): Promise<RdsIamError> {
  return asking.then(
    (value) => expect.unreachable(`it was signed: ${JSON.stringify(value)}`),
    (error) => error,
  );
}

function asked(): readonly string[] {
  return server.queries.map(({ name, type }) => `${type} ${name}`);
}

describe('a custom name', () => {
  test('that is an alias of an RDS endpoint has its token signed for that endpoint and its region', async () => {
    server.cname(ALIAS, RDS);
    expect(await signedFor(ALIAS)).toEqual({ host: RDS, port: '5432', region: 'eu-west-1' });
    expect(asked()).toEqual([`CNAME ${ALIAS}`]);
  });

  test('is followed through a chain of three', async () => {
    server.cname(ALIAS, 'primary.internal.example');
    server.cname('primary.internal.example', 'db.eu.example.net');
    server.cname('db.eu.example.net', RDS);
    expect((await signedFor(ALIAS)).host).toBe(RDS);
    expect(asked()).toEqual([`CNAME ${ALIAS}`, 'CNAME primary.internal.example', 'CNAME db.eu.example.net']);
  });

  test('leads to the name that a connection also dials and verifies the certificate against', async () => {
    server.cname(ALIAS, RDS);
    const iam = createRdsIam({ credentials });
    const endpoint = { hostname: ALIAS, port: 5432, username: 'app' };
    const login = await iam.connect(endpoint, async (given) => given);
    expect(login).toMatchObject({ hostname: RDS, identity: RDS, port: 5432, username: 'app' });
    expect(scopeOf(login.token).host).toBe(RDS);
  });

  test('whose aliases run in a circle is an error that names them', async () => {
    server.cname(ALIAS, 'one.example');
    server.cname('one.example', 'two.example');
    server.cname('two.example', 'one.example');
    const error = await failureOf(signedFor(ALIAS));
    expect(error.code).toBe('ERR_RDS_IAM_ENDPOINT');
    expect(error.message).toContain(`${ALIAS} → one.example → two.example → one.example`);
    expect(error.message).toContain('fix the CNAME records');
    expect(asked()).toHaveLength(3);
  });

  test('whose aliases never end is an error after 16 of them', async () => {
    for (let number = 0; number < 40; number++) server.cname(`a${number}.example`, `a${number + 1}.example`);
    const error = await failureOf(signedFor('a0.example'));
    expect(error.code).toBe('ERR_RDS_IAM_ENDPOINT');
    expect(asked()).toHaveLength(16);
  });

  test.each([
    ['does not exist', () => undefined],
    ['has an address but no alias', () => server.a(ALIAS, '127.0.0.1')],
    ['has no record that helps', () => server.empty(ALIAS)],
    ['leads to a name that does not exist', () => server.cname(ALIAS, 'gone.example')],
    [
      'leads to a name outside RDS',
      () => {
        server.cname(ALIAS, 'other.example');
        server.a('other.example', '127.0.0.1');
      },
    ],
  ])(
    'that %s is signed for as it is if a region is configured, and otherwise an error that says so',
    async (_, set) => {
      set();
      expect(await signedFor(ALIAS, { region: 'eu-west-1' })).toEqual({
        host: ALIAS,
        port: '5432',
        region: 'eu-west-1',
      });
      const error = await failureOf(signedFor(ALIAS));
      expect(error.code).toBe('ERR_RDS_IAM_REGION');
      expect(error.message).toContain(`"${ALIAS}"`);
    },
  );

  test('whose RDS endpoint is itself an alias of an EC2 name stops at the RDS endpoint, without further look-ups', async () => {
    server.cname(ALIAS, RDS);
    server.cname(RDS, 'ec2-203-0-113-7.eu-west-1.compute.amazonaws.com');
    server.a('ec2-203-0-113-7.eu-west-1.compute.amazonaws.com', '127.0.0.1');
    expect((await signedFor(ALIAS)).host).toBe(RDS);
    expect(asked()).toEqual([`CNAME ${ALIAS}`]);
  });

  test.each([
    ['an Aurora cluster', 'c.cluster-abc123.us-east-2.rds.amazonaws.com', 'us-east-2'],
    ['an Aurora reader endpoint', 'c.cluster-ro-abc123.us-east-2.rds.amazonaws.com', 'us-east-2'],
    ['an Aurora custom endpoint', 'c.cluster-custom-abc123.us-east-2.rds.amazonaws.com', 'us-east-2'],
    ['an RDS Proxy', 'p.proxy-abc123.ap-southeast-4.rds.amazonaws.com', 'ap-southeast-4'],
    ['an endpoint of an RDS Proxy', 'r.endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com', 'eu-west-1'],
    ['an instance in China', 'db.abc123.cn-north-1.rds.amazonaws.com.cn', 'cn-north-1'],
    ['an instance in China, the other way round', 'db.abc123.rds.cn-northwest-1.amazonaws.com.cn', 'cn-northwest-1'],
    ['an instance named rds', 'rds.abc123.eu-west-1.rds.amazonaws.com', 'eu-west-1'],
    ['an instance in GovCloud', 'db.abc123.us-gov-west-1.rds.amazonaws.com', 'us-gov-west-1'],
    ['an instance in an ISO partition', 'db.abc123.us-iso-east-1.rds.c2s.ic.gov', 'us-iso-east-1'],
    ['an instance in the second ISO partition', 'db.abc123.us-isob-east-1.rds.sc2s.sgov.gov', 'us-isob-east-1'],
    ['an instance in the European sovereign cloud', 'db.abc123.eusc-de-east-1.rds.amazonaws.eu', 'eusc-de-east-1'],
  ])('that is an alias of %s is signed for it', async (_, target, region) => {
    server.cname(ALIAS, target);
    expect(await signedFor(ALIAS)).toEqual({ host: target, port: '5432', region });
  });

  test('that is the writer endpoint of an Aurora global database is followed to the writer cluster', async () => {
    const writer = 'orders.global-abc123.global.rds.amazonaws.com';
    const cluster = 'orders.cluster-abc123.us-west-2.rds.amazonaws.com';
    server.cname(writer, cluster);
    expect(await signedFor(writer)).toMatchObject({ host: cluster, region: 'us-west-2' });
    server.cname(ALIAS, writer);
    expect(await signedFor(ALIAS)).toMatchObject({ host: cluster, region: 'us-west-2' });
  });

  test('that moves to another endpoint has the next token signed for that one, in its region', async () => {
    const iam = createRdsIam({ credentials });
    const endpoint = { hostname: ALIAS, port: 5432, username: 'app' };
    server.cname(ALIAS, RDS);
    expect(scopeOf((await iam.getToken(endpoint)).token)).toMatchObject({ host: RDS, region: 'eu-west-1' });
    server.cname(ALIAS, 'db.def456.us-east-1.rds.amazonaws.com');
    expect(scopeOf((await iam.getToken(endpoint)).token)).toMatchObject({
      host: 'db.def456.us-east-1.rds.amazonaws.com',
      region: 'us-east-1',
    });
    server.cname(ALIAS, RDS);
    const { hostname, token } = await iam.connect(endpoint, async (login) => login);
    expect([hostname, scopeOf(token).host]).toEqual([RDS, RDS]);
  });

  test('that leads to a region other than the configured one is an error that names both', async () => {
    server.cname(ALIAS, RDS);
    const error = await failureOf(signedFor(ALIAS, { region: 'us-east-1' }));
    expect(error.code).toBe('ERR_RDS_IAM_CONFIG');
    expect(error.message).toMatch(/us-east-1.*eu-west-1/s);
  });

  test.each(['SERVFAIL', 'REFUSED'] as const)(
    'for which the DNS returns %s is an error with that cause',
    async (failure) => {
      server.fail(ALIAS, failure);
      const error = await failureOf(signedFor(ALIAS, { region: 'eu-west-1' }));
      expect(error).toMatchObject({
        code: 'ERR_RDS_IAM_ENDPOINT',
        cause: { code: `E${failure}`, syscall: 'queryCname' },
      });
      expect(error.message).toContain('"resolveCname"');
    },
  );

  test('is followed by a retry once the DNS recovers', async () => {
    server.fail(ALIAS, 'SERVFAIL');
    const iam = createRdsIam({ credentials, retry: { baseDelayMs: 0 } });
    const recover = () => server.cname(ALIAS, RDS);
    subscribe('rds-iam:connection:attempt-failed', recover);
    onTestFinished(() => void unsubscribe('rds-iam:connection:attempt-failed', recover));
    const endpoint = { hostname: ALIAS, port: 5432, username: 'app' };
    expect(await iam.connect(endpoint, async (login) => login.hostname)).toBe(RDS);
  });

  test('is followed in upper case and with a trailing dot, to a target in upper case', async () => {
    server.cname(ALIAS, RDS.toUpperCase());
    expect((await signedFor(`${ALIAS.toUpperCase()}.`)).host).toBe(RDS);
    expect(asked()).toEqual([`CNAME ${ALIAS}`]);
  });

  test('is looked up again when the application has changed its DNS servers since', async () => {
    const iam = createRdsIam({ credentials });
    server.cname(ALIAS, RDS);
    await iam.getToken({ hostname: ALIAS, port: 5432, username: 'app' });
    const other = await startDns();
    other.cname(ALIAS, 'db.def456.us-east-1.rds.amazonaws.com');
    dns.setServers([other.address]);
    const { token } = await iam.getToken({ hostname: ALIAS, port: 5432, username: 'app' });
    await other.close();
    expect(scopeOf(token).host).toBe('db.def456.us-east-1.rds.amazonaws.com');
  });
});

describe('the DNS server of these tests', () => {
  test('answers as a resolver does, and has sockets dial RDS names on loopback', async () => {
    const listener = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    onTestFinished(() => void listener.close());
    server.cname(ALIAS, RDS);
    server.a(RDS, '127.0.0.1');
    const { port } = listener.address() as AddressInfo;
    const socket = connect({ host: ALIAS, port, lookup: server.lookup });
    await once(socket, 'connect');
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
    expect(asked()).toEqual([`A ${ALIAS}`]);

    const missing = connect({ host: 'missing.example', port, lookup: server.lookup });
    await expect(once(missing, 'connect')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(dns.promises.resolveCname(RDS)).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(dns.promises.resolveCname('missing.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    server.remove(RDS);
    await expect(dns.promises.resolve4(ALIAS)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('the DNS is not queried', () => {
  test('about an RDS endpoint', async () => {
    expect(await signedFor(RDS)).toEqual({ host: RDS, port: '5432', region: 'eu-west-1' });
    await createRdsIam({ credentials }).connect({ hostname: RDS, port: 5432, username: 'app' }, async () => {});
    expect(asked()).toEqual([]);
  });

  test('about an RDS endpoint in upper case or with a trailing dot, which is signed for as RDS spells it', async () => {
    for (const hostname of [RDS.toUpperCase(), `${RDS}.`]) {
      for (const resolveCname of [true, false]) {
        expect((await signedFor(hostname, { resolveCname })).host).toBe(RDS);
        const iam = createRdsIam({ credentials, resolveCname });
        const login = await iam.connect({ hostname, port: 5432, username: 'app' }, async (given) => given);
        expect([login.hostname, scopeOf(login.token).host]).toEqual([RDS, RDS]);
      }
    }
    expect(asked()).toEqual([]);
  });

  test.each(['127.0.0.1', '10.1.2.3', 'localhost', 'LOCALHOST', 'localhost.'])('about %s', async (hostname) => {
    expect((await signedFor(hostname, { region: 'eu-west-1' })).region).toBe('eu-west-1');
    expect(asked()).toEqual([]);
  });

  test('about an IPv6 address', async () => {
    const login = await createRdsIam({ credentials, region: 'eu-west-1' }).connect(
      { hostname: '::1', port: 5432, username: 'app' },
      async (given) => given,
    );
    expect(login.hostname).toBe('::1');
    expect(asked()).toEqual([]);
  });

  test('about any name when "resolveCname" is false', async () => {
    server.cname(ALIAS, RDS);
    const options = { resolveCname: false, region: 'eu-west-1' };
    expect((await signedFor(ALIAS, options)).host).toBe(ALIAS);
    expect(asked()).toEqual([]);
  });
});

describe('the name of an RDS endpoint', () => {
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/);
  const region = fc.constantFrom(
    'eu-west-1',
    'us-east-2',
    'ap-southeast-12',
    'cn-north-1',
    'us-gov-west-1',
    'us-iso-east-1',
  );
  const suffix = fc.constantFrom(
    'amazonaws.com',
    'amazonaws.com.cn',
    'amazonaws.eu',
    'c2s.ic.gov',
    'sc2s.sgov.gov',
    'api.aws',
  );
  const genuine = fc
    .tuple(label, label, region, suffix, fc.boolean())
    .map(([name, id, at, end, china]) => (china ? `${name}.${id}.rds.${at}.${end}` : `${name}.${id}.${at}.rds.${end}`));

  test('is recognized whatever the names of the instance, the region and the partition are', () => {
    fc.assert(
      fc.property(genuine, (hostname) => {
        expect(hostname).toContain(`.${parseRdsHostname(hostname)?.region}.`);
        expect(parseRdsHostname(`${hostname.toUpperCase()}.`)).toEqual(parseRdsHostname(hostname));
      }),
    );
  });

  test('is never recognized in a name below it, next to it or cut out of it', () => {
    const domain = fc.domain().filter((name) => !/(?:^|\.)(?:ic|sgov)\.gov$|(?:^|\.)api\.aws$/.test(name));
    const lookAlikes = fc.oneof(
      fc.tuple(genuine, domain).map(([hostname, evil]) => `${hostname}.${evil}`),
      fc.tuple(genuine, label).map(([hostname, evil]) => `${hostname}-${evil}`),
      fc
        .tuple(genuine, label)
        .map(([hostname, evil]) => hostname.replace(/\.(amazonaws|ic|sgov|api)\./, `.${evil}-$1.`)),
      fc.tuple(genuine, label).map(([hostname, evil]) => hostname.replace('.rds.', `.${evil}-rds.`)),
      fc
        .tuple(genuine, fc.constantFrom('/', '#', '?', '@', '\\', ' ', ':', '%2f', '\0', '\n', '..'))
        .map(([hostname, separator]) => `evil.example${separator}${hostname}`),
      fc.tuple(region, suffix).map(([at, end]) => `${at}.rds.${end}`),
      fc.tuple(label, region, suffix).map(([name, at, end]) => `${name}.${at}.rds.${end}`),
    );
    fc.assert(
      fc.property(lookAlikes, (hostname) => {
        expect(parseRdsHostname(hostname)).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    'x.y.eu-west-1.rds.amazonaws.com.evil.example',
    'rds.amazonaws.com.attacker',
    'x.y.eu-west-1.rds.amazonaws.com.attacker.',
    'x.y.eu-west-1.rds.notamazonaws.com',
    'x.y.eu-west-1.rds.amazonaws.com..',
    'x.y.eu-west-1.rds.amazonaws.co',
    'x.y.eu-west-1.rds.amazonaws.com.br',
    'x.y.rds.eu-west-1.rds.amazonaws.com.evil.example',
    'x.y.eu-west-1.ec2.amazonaws.com',
    'x.y.global.rds.amazonaws.com',
    'ec2-203-0-113-7.eu-west-1.compute.amazonaws.com',
    'x.y.eu-west-1.rds.gov',
    'x.y.eu-west-1.rds.evilic.gov',
    '.',
    '',
  ])('is not recognized in %j', (hostname) => {
    expect(parseRdsHostname(hostname)).toBeUndefined();
  });

  test('is looked for in any text without throwing, and only found if it ends like the names of AWS', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.oneof(label, region, suffix, fc.constantFrom('rds', 'amazonaws', 'com', 'cn', 'gov', 'ic', '')), {
          maxLength: 12,
        })
        .map((parts) => parts.join('.')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const found = parseRdsHostname(text);
        if (!found) return;
        expect(text.toLowerCase()).toMatch(
          /\.(?:amazonaws\.(?:com|com\.cn|eu)|(?:ic|sgov)\.gov|cloud\.adc-e\.uk|api\.aws)\.?$/,
        );
        expect(text.toLowerCase()).toMatch(/^(?:[\w-]+\.)+[\w-]+\.?$/);
        expect(text.toLowerCase()).toContain(`.${found.region}.`);
      }),
      { numRuns: 5_000 },
    );
  });
});

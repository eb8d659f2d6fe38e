import { Signer } from '@aws-sdk/rds-signer';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { AccessKey } from '../src/access-key.js';
import { checkToken, type TokenExpectation, tokenExpirationMs } from '../src/token.js';
import { KEY, REGION, sign, type TokenOptions } from './harness.js';

const SERVER = { hostname: 'db.example.com', port: 5432 };
const SESSION_KEY = { accessKeyId: 'ASIASESSION', secretAccessKey: 'another', sessionToken: 'IQoJ//+b3JpZ2luX2Vj==' };

function expectation(changes: Partial<TokenExpectation> = {}, keys: readonly AccessKey[] = [KEY, SESSION_KEY]) {
  return {
    username: 'postgres',
    hostnames: ['db.example.com'],
    port: 5432,
    region: REGION,
    accessKeys: new Map(keys.map((key) => [key.accessKeyId, key])),
    nowMs: Date.now(),
    ...changes,
  };
}

describe('tokens made by others', () => {
  const published: ReadonlyArray<[name: string, token: string, key: AccessKey]> = [
    [
      'botocore’s own test, with its order of parameters',
      'prod-instance.us-east-1.rds.amazonaws.com:3306/?Action=connect&DBUser=someusername&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20161107T173933Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900&X-Amz-Credential=akid%2F20161107%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Signature=d1138cdbc0ca63eec012ec0fc6c2267e03642168f5884a7795320d4c18374c61',
      { accessKeyId: 'akid', secretAccessKey: 'skid' },
    ],
    [
      'the AWS SDK for Java’s own test',
      'host.us-east-1.amazonaws.com:3306/?DBUser=mySQLUser&Action=connect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20161107T173933Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900&X-Amz-Credential=access_key%2F20161107%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Signature=87ab58107ef49f1c311a412f98b7f976b0b5152ffb559f0d36c6c9a0c5e0e362',
      { accessKeyId: 'access_key', secretAccessKey: 'secret_key' },
    ],
    [
      'an independent Java implementation’s test, with a session token',
      'dbhost.xyz.eu-west-1.amazonaws.com:3306/?Action=connect&DBUser=iam_user&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=IAMKEYINSTANCE%2F20180919%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20180919T160242Z&X-Amz-Expires=900&X-Amz-Security-Token=mytoken&X-Amz-SignedHeaders=host&X-Amz-Signature=8966604a85aa991ef9bed5135aa8565e0e22ae375d2b85892a16e1a642ae0bd1',
      { accessKeyId: 'IAMKEYINSTANCE', secretAccessKey: 'asdfqwertypolly', sessionToken: 'mytoken' },
    ],
  ];

  test.each(published)('%s', (_name, token, key) => {
    const [, hostname = '', username = '', region = ''] =
      /^(.*):3306.*DBUser=(\w+).*%2F([a-z0-9-]+)%2Frds-db/.exec(token) ?? [];
    const nowMs = tokenExpirationMs(token) - 900_000;
    const expected = expectation({ hostnames: [hostname], username, region, port: 3306, nowMs }, [key]);
    expect(checkToken(token, expected)).toBeUndefined();
    expect(checkToken(token.replace('/?', '?'), expected), 'as the Go SDK writes it').toBeUndefined();
  });

  const usernames = ['app', 'a b', 'rené', '用户', '100%', 'a+b', 'a/b', 'a@b', 'a&b=c', "~!'()*", '😀', '%2F'];
  test.each(usernames)('the AWS SDK for JavaScript’s, for user %j', async (username) => {
    for (const credentials of [KEY, SESSION_KEY]) {
      const token = await sign(SERVER, { username, credentials });
      expect(checkToken(token, expectation({ username }))).toBeUndefined();
    }
  });

  test('the AWS SDK for JavaScript’s, for any user and secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.option(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { nil: undefined }),
        async (username, secretAccessKey, sessionToken) => {
          const credentials = { accessKeyId: 'AKID', secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
          const token = await sign(SERVER, { username, credentials });
          expect(checkToken(token, expectation({ username }, [credentials]))).toBeUndefined();
        },
      ),
    );
  });
});

describe('the reason for a refused token', () => {
  const reason = async (options: TokenOptions, changes: Partial<TokenExpectation> = {}, keys?: readonly AccessKey[]) =>
    checkToken(await sign(SERVER, options), expectation(changes, keys));

  test('signed properly, but for something else or by somebody else', async () => {
    expect(await reason({ username: 'other' })).toBe('wrong-user');
    expect(await reason({ username: 'Postgres' })).toBe('wrong-user');
    expect(await reason({ hostname: 'cname.example.com' })).toBe('wrong-host');
    expect(await reason({ port: 5433 })).toBe('wrong-port');
    expect(await reason({ region: 'eu-west-2' })).toBe('wrong-region');
    expect(await reason({ credentials: { ...KEY, accessKeyId: 'AKIDOTHER' } })).toBe('unknown-access-key');
    expect(await reason({ credentials: { ...KEY, secretAccessKey: 'guessed' } })).toBe('bad-signature');
    expect(await reason({ credentials: { ...KEY, sessionToken: 'unasked' } })).toBe('session-token');
    const { sessionToken: _, ...withoutSession } = SESSION_KEY;
    expect(await reason({ credentials: withoutSession })).toBe('session-token');
    expect(await reason({ credentials: { ...SESSION_KEY, sessionToken: 'old' } })).toBe('session-token');
    expect(await reason({}, {}, [{ ...KEY, usernames: ['app'] }])).toBe('not-authorized');
    expect(await reason({}, {}, [{ ...KEY, usernames: ['app', 'postgres'] }])).toBeUndefined();
  });

  test('time, to the millisecond', async () => {
    const token = await sign(SERVER);
    const signedAtMs = tokenExpirationMs(token) - 900_000;
    const at = (ageMs: number) => checkToken(token, expectation({ nowMs: signedAtMs + ageMs }));
    expect(at(900_000)).toBeUndefined();
    expect(at(900_001)).toBe('expired');
    expect(at(-300_000)).toBeUndefined();
    expect(at(-300_001)).toBe('not-yet-valid');
  });

  test('the expiration is read from the token', async () => {
    vi.useFakeTimers({ now: Date.parse('2026-03-04T05:06:07Z'), toFake: ['Date'] });
    try {
      const signer = new Signer({ ...SERVER, username: 'postgres', region: REGION, credentials: KEY });
      const token = await signer.getAuthToken();
      expect(tokenExpirationMs(token)).toBe(Date.parse('2026-03-04T05:21:07Z'));
    } finally {
      vi.useRealTimers();
    }
  });

  let good = '';
  beforeAll(async () => {
    good = await sign(SERVER, { credentials: SESSION_KEY });
  });
  const amzDate = () => /X-Amz-Date=(\w+)/.exec(good)?.[1] ?? '';

  const tampered: ReadonlyArray<[what: string, change: () => string, reason: string]> = [
    ['nothing', () => good, ''],
    ['empty', () => '', 'malformed'],
    ['a password', () => 'hunter2', 'malformed'],
    ['a scheme', () => `https://${good}`, 'malformed'],
    ['a path', () => good.replace('/?', '/x?'), 'malformed'],
    ['a line break', () => `${good}\n`, 'malformed'],
    ['truncated', () => good.slice(0, -1), 'malformed'],
    ['DBUser', () => good.replace('DBUser=postgres', 'DBUser=root'), 'wrong-user'],
    ['host', () => good.replace(SERVER.hostname, 'evil.example.com'), 'wrong-host'],
    ['port', () => good.replace(':5432', ':5433'), 'wrong-port'],
    ['a port with a leading zero', () => good.replace(':5432', ':05432'), 'wrong-port'],
    ['Action', () => good.replace('=connect', '=Connect'), 'malformed'],
    ['algorithm', () => good.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'), 'malformed'],
    ['signed headers', () => good.replace('SignedHeaders=host', 'SignedHeaders=host%3Bx'), 'malformed'],
    ['service', () => good.replace('rds-db', 'dsql'), 'malformed'],
    ['scope’s end', () => good.replace('aws4_request', 'aws5_request'), 'malformed'],
    ['scope’s date', () => good.replace('%2F20', '%2F19'), 'malformed'],
    ['scope’s region', () => good.replace(REGION, 'eu-west-2'), 'wrong-region'],
    ['access key', () => good.replace('ASIASESSION', 'AKIDEMULATOR'), 'session-token'],
    [
      'date',
      () => good.replace(amzDate(), `${amzDate().slice(0, -3)}${amzDate().endsWith('00Z') ? '01Z' : '00Z'}`),
      'bad-signature',
    ],
    ['an invalid date', () => good.replace(amzDate(), `${amzDate().slice(0, 9)}246060Z`), 'malformed'],
    ['expires later', () => good.replace('Expires=900', 'Expires=901'), 'malformed'],
    ['expires sooner', () => good.replace('Expires=900', 'Expires=899'), 'bad-signature'],
    ['expires never', () => good.replace('Expires=900', 'Expires=-1'), 'malformed'],
    ['session token', () => good.replace('IQoJ', 'IQoK'), 'session-token'],
    ['no session token', () => good.replace(/&X-Amz-Security-Token=[^&]*/, ''), 'session-token'],
    ['no signature', () => good.replace(/&X-Amz-Signature=[^&]*/, ''), 'malformed'],
    ['an empty signature', () => good.replace(/&X-Amz-Signature=[^&]*/, '&X-Amz-Signature='), 'malformed'],
    [
      'a signature in upper case',
      () => good.replace(/(?<=Signature=)[^&]*/, (hex) => hex.toUpperCase()),
      'bad-signature',
    ],
    ['a longer signature', () => good.replace(/(Signature=[^&]*)/, '$10'), 'bad-signature'],
    ['one more parameter', () => `${good}&X-Amz-Extra=1`, 'malformed'],
    ['a parameter twice', () => `${good}&DBUser=postgres`, 'malformed'],
    ['another spelling of a slash', () => good.replaceAll('%2F', '%2f'), 'malformed'],
    ['an invalid percent-encoding', () => good.replace('%2F', '%zz'), 'malformed'],
    ['not UTF-8', () => good.replace('DBUser=postgres', 'DBUser=%FF'), 'malformed'],
  ];
  test.each(tampered)('%s', (_what, change, wanted) => {
    const got = checkToken(change(), expectation()) ?? '';
    expect(got).toBe(wanted);
  });

  test('any single character changed, removed or added', () => {
    const anywhere = fc.nat(good.length - 1);
    const character = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 });
    const plain = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(anywhere, fc.oneof(character, plain), fc.constantFrom(0, 1), (at, letter, removed) => {
        const changed = good.slice(0, at) + letter + good.slice(at + removed);
        fc.pre(changed !== good);
        expect(checkToken(changed, expectation())).toBeDefined();
      }),
      { numRuns: 3000 },
    );
    for (let at = 0; at < good.length; at += 1) {
      const shorter = good.slice(0, at) + good.slice(at + 1);
      if (shorter === good.replace('/?', '?')) continue; // the Go SDK's form of the same token
      expect(checkToken(shorter, expectation()), shorter).toBeDefined();
    }
  });

  test('any text at all', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => checkToken(text, expectation()) === 'malformed'));
  });
});

import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import {
  expectNoSecrets,
  type IssuedCredentials,
  setAwsEnvironment,
  startContainerCredentials,
  startInstanceMetadata,
  startSts,
} from '@rds-iam/test-servers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type AuthToken,
  createRdsIam,
  type Endpoint,
  isRdsIamError,
  type RdsIam,
  type RdsIamError,
  type RdsIamEvents,
  type RdsIamOptions,
} from '../src/index.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-03-01T12:00:00Z');
const ROLE = 'arn:aws:iam::123456789012:role/app';
const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const elsewhere = { hostname: 'db.internal.example', port: 5432, username: 'app' };

const CHANNELS = [
  'rds-iam:token:signed',
  'rds-iam:token:renewal-failed',
  'rds-iam:connection:admitted',
  'rds-iam:connection:attempt-failed',
  'rds-iam:connection:opened',
  'rds-iam:connection:gave-up',
] as const satisfies readonly (keyof RdsIamEvents)[];

let restoreEnvironment: () => void;
let events: { readonly channel: string; readonly event: unknown }[];
/** Everything that must never be shown in a test: what the stand-ins gave out, and the tokens made from it. */
let secrets: string[];

function record(event: unknown, channel: string | symbol): void {
  events.push({ channel: String(channel), event });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  restoreEnvironment = setAwsEnvironment();
  events = [];
  secrets = ['a secret that nobody has'];
  for (const channel of CHANNELS) subscribe(channel, record);
});

afterEach(() => {
  for (const channel of CHANNELS) unsubscribe(channel, record);
  restoreEnvironment();
  vi.useRealTimers();
  for (const event of events) expectNoSecrets(event, secrets);
});

function environment(settings: Readonly<Record<string, string | undefined>>): void {
  restoreEnvironment();
  restoreEnvironment = setAwsEnvironment(settings);
}

function passTime(durationMs: number): void {
  vi.setSystemTime(Date.now() + durationMs);
}

/** Starts a stand-in that ends with the test. */
async function started<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
  const standIn = await starting;
  onTestFinished(() => standIn[Symbol.asyncDispose]());
  return standIn;
}

async function temporaryFile(name: string, content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-aws-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

/** Credentials that look like AWS's, different each time. */
function issue(source: string, livesMs = HOUR): IssuedCredentials {
  const number = secrets.length;
  const bytes = (what: string) => createHash('sha512').update(`${what} ${source} ${number}`).digest();
  const issued = {
    accessKeyId: `ASIA${source.toUpperCase()}${number}`,
    secretAccessKey: bytes('secret').toString('base64').slice(0, 40),
    sessionToken: `IQoJb3JpZ2luX2Vj${Buffer.concat([bytes('one'), bytes('two'), bytes('three')]).toString('base64')}`,
    expiration: new Date(Date.now() + livesMs),
  };
  secrets.push(issued.secretAccessKey, issued.sessionToken);
  return issued;
}

async function tokenOf(iam: RdsIam, at: Endpoint = endpoint): Promise<AuthToken> {
  const token = await iam.getToken(at);
  secrets.push(token.token);
  expectNoSecrets(token, secrets);
  return token;
}

/** The error of a request for a token. None shows a secret. */
async function failureOf(asking: Promise<unknown>): Promise<RdsIamError> {
  const error = await asking.then(
    () => expect.unreachable('there is a token'),
    (caught: unknown) => caught,
  );
  if (!isRdsIamError(error)) throw error;
  expectNoSecrets(error, secrets);
  return error;
}

/** What a token says about itself. */
function read({ token }: AuthToken) {
  const parameters = new URL(`https://${token}`).searchParams;
  const [accessKeyId, , region] = (parameters.get('X-Amz-Credential') ?? '').split('/');
  return { accessKeyId, region, sessionToken: parameters.get('X-Amz-Security-Token') ?? undefined };
}

interface Source {
  /** Its credentials, without a session token and an expiration if it has none. */
  readonly credentials: Omit<IssuedCredentials, 'sessionToken' | 'expiration'> & Partial<IssuedCredentials>;
  readonly options?: RdsIamOptions;
  /** Checks what the stand-in was asked. */
  readonly check?: () => void;
}

function profileOf({ accessKeyId, secretAccessKey, sessionToken }: Source['credentials']): string {
  const session = sessionToken === undefined ? '' : `aws_session_token=${sessionToken}\n`;
  return `aws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n${session}`;
}

function longTerm(source: string): Source['credentials'] {
  const { accessKeyId, secretAccessKey } = issue(source);
  return { accessKeyId, secretAccessKey };
}

/** Makes the default profile assume the role with a user's key, at the STS with this URL. */
async function assumingByDefault(stsUrl: string, settings = ['region=eu-west-1']): Promise<void> {
  const role = [`role_arn=${ROLE}`, 'source_profile=base', ...settings, ''].join('\n');
  environment({
    AWS_ENDPOINT_URL_STS: stsUrl,
    AWS_CONFIG_FILE: await temporaryFile(
      'config',
      `[default]\n${role}[profile base]\n${profileOf(longTerm('source'))}`,
    ),
  });
}

const sources: Readonly<Record<string, (livesMs: number) => Promise<Source>>> = {
  async 'the environment, with the key of a user'() {
    const credentials = longTerm('env');
    environment({
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    });
    return { credentials };
  },
  async 'the environment, with a session token'() {
    const { expiration, ...credentials } = issue('env');
    environment({
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
    });
    return { credentials };
  },
  async 'the environment, with an expiration'(livesMs) {
    const credentials = issue('env', livesMs);
    environment({
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_CREDENTIAL_EXPIRATION: credentials.expiration.toISOString(),
    });
    return { credentials };
  },
  async 'the default profile'() {
    const credentials = longTerm('profile');
    environment({
      AWS_SHARED_CREDENTIALS_FILE: await temporaryFile('credentials', `[default]\n${profileOf(credentials)}`),
    });
    return { credentials };
  },
  async 'the profile that AWS_PROFILE names'() {
    const { expiration, ...credentials } = issue('profile');
    environment({
      AWS_PROFILE: 'other',
      AWS_SHARED_CREDENTIALS_FILE: await temporaryFile(
        'credentials',
        `[default]\n${profileOf(longTerm('wrong'))}[other]\n${profileOf(credentials)}`,
      ),
    });
    return { credentials };
  },
  async 'the profile that the option "profile" names'() {
    // The SDK says that there are two sources.
    const warning = vi.spyOn(console, 'warn').mockReturnValue();
    onTestFinished(() => warning.mockRestore());
    const credentials = longTerm('profile');
    environment({
      AWS_ACCESS_KEY_ID: 'AKIAWRONG',
      AWS_SECRET_ACCESS_KEY: 'wrong',
      AWS_SHARED_CREDENTIALS_FILE: await temporaryFile(
        'credentials',
        `[default]\n${profileOf(longTerm('wrong'))}[mine]\n${profileOf(credentials)}`,
      ),
    });
    return { credentials, options: { profile: 'mine' } };
  },
  async 'a role that a profile assumes'(livesMs) {
    const credentials = issue('role', livesMs);
    const source = longTerm('source');
    const sts = await started(startSts(() => credentials));
    environment({
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_CONFIG_FILE: await temporaryFile(
        'config',
        `[profile app]\nrole_arn=${ROLE}\nsource_profile=base\nregion=eu-west-1\n[profile base]\n${profileOf(source)}`,
      ),
    });
    return {
      credentials,
      options: { profile: 'app' },
      check: () =>
        expect(sts.calls).toMatchObject([
          { action: 'AssumeRole', accessKeyId: source.accessKeyId, parameters: { RoleArn: ROLE } },
        ]),
    };
  },
  async 'a web identity, as in EKS'(livesMs) {
    const credentials = issue('web', livesMs);
    const sts = await started(startSts(() => credentials));
    secrets.push('a.web.identity');
    environment({
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_ROLE_ARN: ROLE,
      AWS_REGION: 'eu-west-1',
      AWS_WEB_IDENTITY_TOKEN_FILE: await temporaryFile('token', 'a.web.identity'),
    });
    return {
      credentials,
      check: () =>
        expect(sts.calls).toMatchObject([
          {
            action: 'AssumeRoleWithWebIdentity',
            accessKeyId: undefined,
            parameters: { RoleArn: ROLE, WebIdentityToken: 'a.web.identity' },
          },
        ]),
    };
  },
  async 'the endpoint of a container, as in ECS'(livesMs) {
    const credentials = issue('container', livesMs);
    const container = await started(startContainerCredentials(() => credentials));
    environment({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: container.fullUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: container.authorizationToken,
    });
    return { credentials, check: () => expect(container.requests).toHaveLength(1) };
  },
  async 'the instance metadata of EC2, version 2'(livesMs) {
    const credentials = issue('instance', livesMs);
    const metadata = await started(startInstanceMetadata(() => credentials));
    environment({ AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url });
    return {
      credentials,
      check() {
        expect(metadata.requests.map(({ method }) => method)).toEqual(['PUT', 'GET', 'GET']);
        expect(metadata.refusedVersion1).toEqual([]);
      },
    };
  },
};

describe.each(Object.entries(sources))('credentials of %s', (_, start) => {
  test('sign the token, which lasts 15 minutes', async () => {
    const { credentials, options, check } = await start(HOUR);
    const token = await tokenOf(createRdsIam(options));
    expect(read(token)).toEqual({
      accessKeyId: credentials.accessKeyId,
      region: 'eu-west-1',
      sessionToken: credentials.sessionToken,
    });
    expect(token.expiration).toEqual(new Date(NOW + 15 * MINUTE));
    check?.();
  });

  test('sign a token that does not outlive them', async () => {
    const { credentials, options } = await start(10 * MINUTE);
    const { expiration } = await tokenOf(createRdsIam(options));
    expect(expiration).toEqual(credentials.expiration ?? new Date(NOW + 15 * MINUTE));
  });

  test('are requested once for a hundred endpoints at the same time', async () => {
    const { credentials, options, check } = await start(HOUR);
    const iam = createRdsIam(options);
    const hosts = Array.from({ length: 100 }, (_, number) => `db${number}.abc.eu-west-1.rds.amazonaws.com`);
    const tokens = await Promise.all(hosts.map((hostname) => tokenOf(iam, { ...endpoint, hostname })));
    expect(new Set(tokens.map((token) => read(token).accessKeyId))).toEqual(new Set([credentials.accessKeyId]));
    check?.();
  });
});

describe('a role that the application assumes itself', () => {
  async function assumedRole(give: () => IssuedCredentials) {
    const sts = await started(startSts(give));
    environment({ AWS_ENDPOINT_URL_STS: sts.url });
    const { accessKeyId, secretAccessKey } = issue('master');
    const credentials = fromTemporaryCredentials({
      masterCredentials: { accessKeyId, secretAccessKey },
      params: { RoleArn: ROLE, RoleSessionName: 'app' },
      clientConfig: { region: 'eu-west-1' },
    });
    return { sts, iam: createRdsIam({ credentials }) };
  }

  test('is assumed once for a thousand endpoints, at the same time and one after the other', async () => {
    const { sts, iam } = await assumedRole(() => issue('role'));
    const hosts = Array.from({ length: 1_000 }, (_, number) => `db${number}.abc.eu-west-1.rds.amazonaws.com`);
    const get = (hostname: string) => iam.getToken({ ...endpoint, hostname });
    await Promise.all(hosts.slice(0, 500).map(get));
    for (const hostname of hosts.slice(500)) await get(hostname);
    expect(sts.calls).toHaveLength(1);
  });

  test('is assumed again before its credentials expire, and the next token is signed with the new ones', async () => {
    const { sts, iam } = await assumedRole(() => issue('role', 20 * MINUTE));
    const first = await tokenOf(iam);
    passTime(16 * MINUTE);
    const second = await tokenOf(iam);
    expect(sts.calls).toHaveLength(2);
    expect(read(second).accessKeyId).not.toBe(read(first).accessKeyId);
    expect(second.expiration).toEqual(new Date(NOW + 31 * MINUTE));
  });

  test('is assumed again when its credentials have expired', async () => {
    const { sts, iam } = await assumedRole(() => issue('role'));
    await tokenOf(iam);
    passTime(2 * HOUR);
    await tokenOf(iam);
    expect(sts.calls).toHaveLength(2);
  });

  test('is assumed again for a forced new token', async () => {
    const { sts, iam } = await assumedRole(() => issue('role'));
    await tokenOf(iam);
    await iam.getToken(endpoint, { forceRefresh: true });
    expect(sts.calls).toHaveLength(2);
  });
});

describe('credentials of the default chain', () => {
  test('are requested again before they expire', async () => {
    const metadata = await started(startInstanceMetadata(() => issue('instance', 20 * MINUTE)));
    environment({ AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url });
    const iam = createRdsIam();
    const first = await tokenOf(iam);
    passTime(16 * MINUTE);
    const second = await tokenOf(iam);
    expect(read(second).accessKeyId).not.toBe(read(first).accessKeyId);
    expect(second.expiration).toEqual(new Date(NOW + 31 * MINUTE));
  });

  test('from an edited shared file are used for later tokens', async () => {
    const before = longTerm('before');
    const after = longTerm('after');
    const file = await temporaryFile('credentials', `[default]\n${profileOf(before)}`);
    environment({ AWS_SHARED_CREDENTIALS_FILE: file });
    const iam = createRdsIam();
    expect(read(await tokenOf(iam)).accessKeyId).toBe(before.accessKeyId);
    await writeFile(file, `[default]\n${profileOf(after)}`);
    passTime(16 * MINUTE);
    expect(read(await tokenOf(iam)).accessKeyId).toBe(after.accessKeyId);
  });

  test('are not requested again while they and the token are valid', async () => {
    const container = await started(startContainerCredentials(() => issue('container')));
    environment({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: container.fullUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: container.authorizationToken,
    });
    const iam = createRdsIam();
    await tokenOf(iam);
    passTime(14 * MINUTE);
    await tokenOf(iam);
    passTime(2 * MINUTE);
    await tokenOf(iam);
    expect(container.requests).toHaveLength(1);
  });
});

describe('credentials that do not work', () => {
  test('that have expired are an error that names the time and the clock', async () => {
    const container = await started(startContainerCredentials(() => issue('container', -MINUTE)));
    environment({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: container.fullUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: container.authorizationToken,
    });
    const error = await failureOf(createRdsIam().getToken(endpoint));
    expect(error.code).toBe('ERR_RDS_IAM_CREDENTIALS');
    expect(error.message).toMatch(/expired at 2026-03-01T11:59:00.000Z.*clock says 2026-03-01T12:00:00.000Z/s);
  });

  test('that expire before a login could finish are an error, too', async () => {
    const sts = await started(startSts(() => issue('role', 5 * SECOND)));
    const { accessKeyId, secretAccessKey } = issue('master');
    const credentials = fromTemporaryCredentials({
      masterCredentials: { accessKeyId, secretAccessKey },
      params: { RoleArn: ROLE },
      clientConfig: { region: 'eu-west-1', endpoint: sts.url },
    });
    const error = await failureOf(createRdsIam({ credentials }).getToken(endpoint));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', message: expect.stringMatching(/clock/) });
  });

  test('that do not exist are an error that says what to set', async () => {
    const error = await failureOf(createRdsIam().getToken(endpoint));
    expect(error.code).toBe('ERR_RDS_IAM_CREDENTIALS');
    expect(error.message).toMatch(/AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE.*role.*"credentials"/s);
    expect(error.message).toContain('[db.abc.eu-west-1.rds.amazonaws.com:5432 as "app"]');
    expect(error.cause).toMatchObject({ name: 'CredentialsProviderError' });
  });

  test("of a role that may not be assumed are an error with AWS's answer as its cause, until it may", async () => {
    const message = 'User: arn:aws:iam::123456789012:user/u is not authorized to perform: sts:AssumeRole';
    const sts = await started(startSts(() => ({ status: 403, code: 'AccessDenied', message })));
    await assumingByDefault(sts.url);
    const iam = createRdsIam();
    const error = await failureOf(iam.getToken(endpoint));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'AccessDenied', message } });
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('clock');

    sts.respond(() => issue('role'));
    expect(read(await tokenOf(iam)).accessKeyId).toMatch(/^ASIAROLE/);
  });

  test('of a profile that does not exist are an error that names it', async () => {
    environment({ AWS_CONFIG_FILE: await temporaryFile('config', '[profile other]\n') });
    const error = await failureOf(createRdsIam({ profile: 'mistyped' }).getToken(endpoint));
    expect(error.message).toContain('no AWS credentials from the profile "mistyped": ');
  });

  test('of a role are requested in the region of the database if nothing else names one', async () => {
    const sts = await started(startSts(() => issue('role'), { region: 'cn-north-1' }));
    await assumingByDefault(sts.url, []);
    await tokenOf(createRdsIam(), { ...endpoint, hostname: 'db.abc.cn-north-1.rds.amazonaws.com.cn' });
    expect(sts.requests[0]?.headers.authorization).toContain('/cn-north-1/sts/aws4_request');
  });

  test('of an instance without a role are an error that says what to set', async () => {
    const metadata = await started(startInstanceMetadata(() => 404));
    environment({ AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url });
    const error = await failureOf(createRdsIam().getToken(endpoint));
    expect(error.code).toBe('ERR_RDS_IAM_CREDENTIALS');
    expect(error.message).toMatch(/run on AWS with a role/);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('that fail because of a wrong clock are an error that says that the clocks differ', async () => {
    const message =
      'Signature expired: 20260301T120000Z is now earlier than 20260301T123000Z (20260301T124500Z - 15 min.)';
    const sts = await started(startSts(() => ({ status: 403, code: 'SignatureDoesNotMatch', message })));
    sts.dateOffsetMs = 45 * MINUTE;
    await assumingByDefault(sts.url);
    const error = await failureOf(createRdsIam().getToken(endpoint));
    expect(error.code).toBe('ERR_RDS_IAM_CREDENTIALS');
    expect(error.message).toMatch(/clock and this machine's differ by more than a few minutes/);
    expect(error.message).toContain('Signature expired');
  });

  test('that a provider puts into its error do not appear in ours', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = issue('leaky');
    const leaky = async () => {
      const config = { credentials: { accessKeyId, secretAccessKey, sessionToken } };
      throw Object.assign(new Error(`refused: ${JSON.stringify(config)}`), { config });
    };
    const error = await failureOf(createRdsIam({ credentials: leaky }).getToken(endpoint));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', message: expect.stringContaining('refused') });
  });

  test('are an error if their provider returns nothing', async () => {
    const { secretAccessKey } = issue('half');
    const credentials = async () => ({ accessKeyId: '', secretAccessKey });
    const error = await failureOf(createRdsIam({ credentials }).getToken(endpoint));
    expect(error).toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      message: expect.stringMatching(/must return \{ accessKeyId/),
    });
  });
});

describe('a source that fails later', () => {
  const renewalFailures = () => events.filter(({ channel }) => channel === 'rds-iam:token:renewal-failed');

  test('leaves the current token in use, with an event and nothing else, and is an error once that has expired', async () => {
    const warnings = [vi.spyOn(console, 'warn'), vi.spyOn(console, 'error')];
    onTestFinished(() => void warnings.map((spy) => spy.mockRestore()));
    const sts = await started(startSts(() => issue('role', 15 * MINUTE)));
    const { accessKeyId, secretAccessKey } = issue('master');
    const assumeRole = fromTemporaryCredentials({
      masterCredentials: { accessKeyId, secretAccessKey },
      params: { RoleArn: ROLE },
      clientConfig: { region: 'eu-west-1', endpoint: sts.url },
    });
    // Many custom providers do not say how long their credentials are valid.
    const iam = createRdsIam({
      credentials: async () => {
        const { expiration, ...undated } = await assumeRole();
        return undated;
      },
    });
    const first = await tokenOf(iam);
    sts.respond(() => ({ status: 403, code: 'AccessDenied', message: 'not today' }));

    passTime(13 * MINUTE);
    expect(await tokenOf(iam)).toBe(first);
    await expect.poll(renewalFailures).toHaveLength(1);
    expect(renewalFailures()).toMatchObject([
      { event: { ...endpoint, error: { code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'AccessDenied' } } } },
    ]);
    expect(await tokenOf(iam)).toBe(first);

    passTime(2 * MINUTE);
    const error = await failureOf(iam.getToken(endpoint));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'AccessDenied' } });

    sts.respond(() => issue('role'));
    expect(await tokenOf(iam)).not.toBe(first);
    for (const spy of warnings) expect(spy).not.toHaveBeenCalled();
  });

  test('leaves credentials with an expiration in use until then, and the token never outlives them', async () => {
    const sts = await started(startSts(() => issue('role', 20 * MINUTE)));
    await assumingByDefault(sts.url);
    const iam = createRdsIam();
    const first = await tokenOf(iam);
    sts.respond(() => ({ status: 403, code: 'AccessDenied', message: 'not today' }));

    passTime(16 * MINUTE);
    const second = await tokenOf(iam);
    expect(read(second).accessKeyId).toBe(read(first).accessKeyId);
    expect(second.expiration).toEqual(new Date(NOW + 20 * MINUTE));
    expect(sts.calls.length).toBeGreaterThan(1);

    // With less time left than a slow login takes, only the existing token is served.
    passTime(4 * MINUTE - 8 * SECOND);
    expect((await tokenOf(iam)).expiration).toEqual(new Date(NOW + 20 * MINUTE));
    await expect.poll(renewalFailures).toHaveLength(1);
    passTime(8 * SECOND);
    const error = await failureOf(iam.getToken(endpoint));
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'AccessDenied' } });
  });
});

describe('the region', () => {
  const keys = () => ({ AWS_ACCESS_KEY_ID: 'AKIAREGION', AWS_SECRET_ACCESS_KEY: issue('region').secretAccessKey });
  const options = { resolveCname: false };

  test('of the host name is used, whatever AWS_REGION says', async () => {
    environment({ ...keys(), AWS_REGION: 'us-east-1' });
    expect(read(await tokenOf(createRdsIam(options))).region).toBe('eu-west-1');
  });

  test('is that of AWS_REGION for a name that has none', async () => {
    environment({ ...keys(), AWS_REGION: 'ap-south-2' });
    expect(read(await tokenOf(createRdsIam(options), elsewhere)).region).toBe('ap-south-2');
  });

  test('is that of the option "region" for a name that has none, whatever AWS_REGION says', async () => {
    environment({ ...keys(), AWS_REGION: 'ap-south-2' });
    const iam = createRdsIam({ ...options, region: 'ca-central-1' });
    expect(read(await tokenOf(iam, elsewhere)).region).toBe('ca-central-1');
  });

  test('is that of the profile for a name that has none', async () => {
    const file = await temporaryFile(
      'config',
      `[default]\nregion=eu-north-1\n${profileOf(longTerm('profile'))}[profile mine]\nregion=sa-east-1\n${profileOf(longTerm('mine'))}`,
    );
    environment({ AWS_CONFIG_FILE: file });
    expect(read(await tokenOf(createRdsIam(options), elsewhere)).region).toBe('eu-north-1');
    expect(read(await tokenOf(createRdsIam({ ...options, profile: 'mine' }), elsewhere)).region).toBe('sa-east-1');
  });

  test.each([
    ['unset', {}],
    ['empty', { AWS_REGION: '', AWS_DEFAULT_REGION: '' }],
  ])('that is nowhere, with AWS_REGION %s, is an error that says what to set', async (_, settings) => {
    environment({ ...keys(), ...settings });
    const error = await failureOf(createRdsIam(options).getToken(elsewhere));
    expect(error.code).toBe('ERR_RDS_IAM_REGION');
    expect(error.message).toMatch(/"db\.internal\.example".*set "region" or AWS_REGION/s);
  });

  test('that contradicts the host name is an error that names both', async () => {
    environment(keys());
    const error = await failureOf(createRdsIam({ region: 'us-east-1' }).getToken(endpoint));
    expect(error.code).toBe('ERR_RDS_IAM_CONFIG');
    expect(error.message).toMatch(
      /"region" is us-east-1, but "db\.abc\.eu-west-1\.rds\.amazonaws\.com" is in eu-west-1/,
    );
  });
});

describe('the stand-ins are as strict as AWS:', () => {
  test('instance metadata refuses version 1 and sessions that it did not open', async () => {
    const metadata = await started(startInstanceMetadata(() => issue('instance')));
    const roles = `${metadata.url}/latest/meta-data/iam/security-credentials/`;
    expect((await fetch(roles)).status).toBe(401);
    expect((await fetch(roles, { headers: { 'x-aws-ec2-metadata-token': 'made up' } })).status).toBe(401);
    expect((await fetch(`${metadata.url}/latest/api/token`, { method: 'PUT' })).status).toBe(400);
    expect(metadata.refusedVersion1).toHaveLength(1);
  });

  test('a container with another authorization token gets nothing', async () => {
    const container = await started(startContainerCredentials(() => issue('container')));
    for (const authorization of ['', 'another']) {
      expect((await fetch(container.fullUri, { headers: { authorization } })).status).toBe(401);
    }
  });

  test('a secret is found wherever an error can hide it', () => {
    const { secretAccessKey, sessionToken } = issue('found');
    const token = 'db:5432/?Action=connect&X-Amz-Signature=0123456789abcdef';
    for (const leak of [
      secretAccessKey,
      { deep: { down: [{ sessionToken }] } },
      new Error(`refused ${secretAccessKey}`),
      new Error('refused', { cause: new Error('because', { cause: { sessionToken } }) }),
      Object.assign(new Error('refused'), { config: { secretAccessKey } }),
      Object.defineProperty(new Error('refused'), 'hidden', { value: sessionToken, enumerable: false }),
      { toJSON: () => ({ sessionToken: encodeURIComponent(sessionToken) }) },
      token,
    ]) {
      expect(() => expectNoSecrets(leak, secrets)).toThrow(/is in/);
    }
    expect(() => expectNoSecrets(new Error('refused'), secrets)).not.toThrow();
    expect(() => expectNoSecrets('anything', [])).toThrow(TypeError);
  });
});

test('AWS is not contacted before the first token', async () => {
  const sts = await started(startSts(() => issue('role')));
  const { accessKeyId, secretAccessKey } = issue('master');
  const credentials = vi.fn(
    fromTemporaryCredentials({
      masterCredentials: { accessKeyId, secretAccessKey },
      params: { RoleArn: ROLE },
      clientConfig: { region: 'eu-west-1', endpoint: sts.url },
    }),
  );
  const iam = createRdsIam({ credentials });
  await new Promise((resolve) => setImmediate(resolve));
  expect(credentials).not.toHaveBeenCalled();
  expect(sts.requests).toHaveLength(0);
  await tokenOf(iam);
  expect(sts.requests).toHaveLength(1);
});

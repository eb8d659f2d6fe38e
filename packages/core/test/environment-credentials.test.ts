import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { setAwsEnvironment } from '@rds-iam/test-servers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AwsCredentialIdentityProvider, defaultCredentials } from '../src/credentials.js';
import { createRdsIam } from '../src/index.js';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIAENVIRONMENT', AWS_SECRET_ACCESS_KEY: 'of the environment' };
const ENDPOINT = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };

let folder: string;
let restoreEnvironment: () => void;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rds-iam-aws-'));
  const profile = (name: string) =>
    `[${name}]\naws_access_key_id=AKIA${name.toUpperCase()}\naws_secret_access_key=of ${name}\n`;
  await writeFile(join(folder, 'credentials'), profile('default') + profile('other'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  restoreEnvironment = setAwsEnvironment();
});
afterEach(() => restoreEnvironment());

describe("credentials in the environment are used whenever the AWS SDK's chain would use them", () => {
  const files = { none: '/nonexistent/aws-credentials', some: 'credentials' };
  const table = [
    ['keys', KEYS],
    ['keys and a session token', { ...KEYS, AWS_SESSION_TOKEN: 'session' }],
    ['keys and an expiration', { ...KEYS, AWS_CREDENTIAL_EXPIRATION: '2040-01-01T00:00:00Z' }],
    ['keys and everything else that belongs to them', { ...KEYS, AWS_ACCOUNT_ID: '1', AWS_CREDENTIAL_SCOPE: 'scope' }],
    ['keys and empty variables', { ...KEYS, AWS_SESSION_TOKEN: '', AWS_CREDENTIAL_EXPIRATION: '', AWS_PROFILE: '' }],
    ['keys beside AWS_PROFILE', { ...KEYS, AWS_PROFILE: 'other' }],
    ['keys beside an AWS_PROFILE that does not exist', { ...KEYS, AWS_PROFILE: 'nowhere' }],
    ['keys beside AWS_DEFAULT_PROFILE', { ...KEYS, AWS_DEFAULT_PROFILE: 'other' }],
    ['AWS_PROFILE alone', { AWS_PROFILE: 'other' }],
    ['an access key without its secret', { AWS_ACCESS_KEY_ID: 'AKIAENVIRONMENT' }],
    ['a secret without its access key', { AWS_SECRET_ACCESS_KEY: 'of the environment' }],
    ['an empty access key', { ...KEYS, AWS_ACCESS_KEY_ID: '' }],
    ['an empty secret', { ...KEYS, AWS_SECRET_ACCESS_KEY: '' }],
    ['keys beside a web identity', { ...KEYS, AWS_WEB_IDENTITY_TOKEN_FILE: '/nonexistent', AWS_ROLE_ARN: 'arn' }],
    ['keys beside a container', { ...KEYS, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9/' }],
    ['the names that other SDKs used to have', { AWS_ACCESS_KEY: 'a', AWS_SECRET_KEY: 'b', AMAZON_ACCESS_KEY_ID: 'c' }],
    ['nothing', {}],
  ] as const;
  const cases = table.flatMap(([what, settings]) =>
    Object.entries(files).flatMap(([name, file]) =>
      [undefined, 'other', 'default'].map((profile) => [what, name, profile, file, settings] as const),
    ),
  );

  test.each(cases)('%s, with %s of the shared profiles and the option %j', async (_, __, profile, file, settings) => {
    // The SDK says that there are two sources.
    const warning = vi.spyOn(console, 'warn').mockReturnValue();
    const path = file === 'credentials' ? join(folder, file) : file;
    restoreEnvironment();
    restoreEnvironment = setAwsEnvironment({ AWS_SHARED_CREDENTIALS_FILE: path, ...settings });
    const chain = fromNodeProviderChain({ ignoreCache: true, ...(profile && { profile }) });
    expect(await outcome(defaultCredentials(profile, () => 'eu-west-1'))).toEqual(await outcome(chain));
    warning.mockRestore();
  });

  async function outcome(provide: AwsCredentialIdentityProvider) {
    try {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provide({});
      return { accessKeyId, secretAccessKey, sessionToken, expiration };
    } catch (error) {
      return String(error);
    }
  }
});

test('an expiration that is not a date is an error that names the setting', async () => {
  restoreEnvironment();
  restoreEnvironment = setAwsEnvironment({ ...KEYS, AWS_CREDENTIAL_EXPIRATION: 'tomorrow' });
  await expect(createRdsIam().getToken(ENDPOINT)).rejects.toMatchObject({
    code: 'ERR_RDS_IAM_CREDENTIALS',
    message: expect.stringContaining('AWS_CREDENTIAL_EXPIRATION'),
  });
});

describe('the AWS SDK', () => {
  /** The SDK modules that a process loads for a token. Its packages are CommonJS, so they show up in the cache. */
  async function loadedFor(program: string, environment: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const script = `
      import module from 'node:module';
      import { createRdsIam } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      const at = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
      const keys = { accessKeyId: 'AKIAGIVEN', secretAccessKey: 'given' };
      ${program}
      const names = Object.keys(module._cache).map((path) => /.*node_modules\\/(@(?:aws-sdk|smithy)\\/[^/]+)/.exec(path)?.[1]);
      console.log(JSON.stringify([...new Set(names)].filter(Boolean).sort()));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@rds-iam/source', '--import', 'tsx', '--input-type=module', '--eval', script],
      {
        cwd: fileURLToPath(new URL('../../../test/demo', import.meta.url)),
        env: { ...process.env, ...environment },
      },
    );
    return JSON.parse(stdout);
  }

  test.each<[string, string, Record<string, string>]>([
    ['given', 'await createRdsIam({ credentials: keys }).getToken(at);', {}],
    ['given by a function', 'await createRdsIam({ credentials: async () => keys }).getToken(at);', {}],
    [
      'given, with the clock corrected',
      'await createRdsIam({ credentials: keys, clockOffsetMs: 60_000 }).getToken(at);',
      {},
    ],
    ['in the environment', 'await createRdsIam().getToken(at);', KEYS],
    [
      'in the environment, like the region for a name without one',
      'await createRdsIam({ resolveCname: false }).getToken({ ...at, hostname: "db.internal" });',
      { ...KEYS, AWS_REGION: 'eu-west-1' },
    ],
  ])('is not loaded if the credentials are %s', async (_, program, environment) => {
    expect(await loadedFor(program, environment)).toEqual([]);
  });

  test.each<[string, string, Record<string, string>, string]>([
    [
      'the credentials have to be found',
      'await createRdsIam().getToken(at).catch(() => {});',
      {},
      '@aws-sdk/credential-providers',
    ],
    [
      'the region has to be found',
      'await createRdsIam({ credentials: keys }).getToken({ ...at, hostname: "localhost" }).catch(() => {});',
      {},
      '@aws-sdk/rds-signer',
    ],
  ])('is loaded if %s', async (_, program, environment, name) => {
    expect(await loadedFor(program, environment)).toContain(name);
  });
});

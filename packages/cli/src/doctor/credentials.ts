// Whether there are AWS credentials, where they come from, when they expire, and whose they are.

import type { AwsCredentialIdentity } from '@rds-iam/core';
import { isRdsIamError } from '@rds-iam/core';
import { Credentials, defaultCredentials, redact } from '@rds-iam/core/doctor';
import { AwsError } from '../aws-call.js';
import { shellWord } from '../shell-word.js';
import { askAws, awsCodeOf, callerOf, clientSettings } from './aws-calls.js';
import type { Facts, Question } from './facts.js';
import { type Cause, type Fix, failed, notChecked, passed, type Step } from './step.js';
import { TimedOut, within } from './within.js';

export type CredentialsSeen = { readonly identity: AwsCredentialIdentity } | { readonly error: unknown };

/** Asks the AWS SDK's default chain, as every package does. Never rejects. @param region - for temporary credentials */
export async function findCredentials({ profile, longerMs }: Question, region?: string): Promise<CredentialsSeen> {
  const credentials = new Credentials(
    defaultCredentials(profile, () => region),
    Date.now,
  );
  try {
    return { identity: await within(longerMs, () => credentials.get()) };
  } catch (error) {
    return { error };
  }
}

/** The AWS SDK's marks for the sources of credentials. The last one in this list counts. */
const SOURCES: readonly (readonly [mark: string, source: string])[] = [
  ['CREDENTIALS_IMDS', 'the EC2 instance'],
  ['CREDENTIALS_HTTP', 'the container'],
  ['CREDENTIALS_PROCESS', 'the process that the profile names'],
  ['CREDENTIALS_SSO', 'IAM Identity Center (SSO)'],
  ['CREDENTIALS_STS_ASSUME_ROLE_WEB_ID', 'a web identity token'],
  ['CREDENTIALS_STS_ASSUME_ROLE', 'an assumed role'],
  ['CREDENTIALS_LOGIN', 'aws login'],
  ['CREDENTIALS_PROFILE', 'the shared AWS files'],
  ['CREDENTIALS_ENV_VARS', 'the environment (AWS_ACCESS_KEY_ID)'],
];

function sourceOf(identity: AwsCredentialIdentity): string {
  // Core reads the environment itself and sets no mark.
  const { $source = { CREDENTIALS_ENV_VARS: '' } } = identity as { readonly $source?: object };
  return SOURCES.find(([mark]) => mark in $source)?.[1] ?? 'the AWS SDK';
}

/** Pure. */
export function judgeCredentials({ credentials: seen, profile }: Facts): Step {
  if ('identity' in seen) {
    const { accessKeyId, expiration } = seen.identity;
    const end = expiration ? `they expire at ${expiration.toISOString()}` : 'without an expiration';
    const of = profile === undefined ? '' : `, profile "${profile}"`;
    return passed('credentials', `access key ${accessKeyId} of ${sourceOf(seen.identity)}${of}; ${end}`);
  }
  const { error } = seen;
  if (error instanceof TimedOut) {
    const why = 'the source of the credentials does not answer';
    return failed('credentials', error.message, [{ diagnosis: 'no-credentials', why, fix: renew(profile) }]);
  }
  const cause = error instanceof Error ? error.cause : undefined;
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : messageOf(error);
  // Core's kind, or the AWS SDK's message.
  const isCore = isRdsIamError(error) && error.kind === 'credentials-expired';
  const expired = isCore || (cause instanceof Error && /expired|ExpiredToken/i.test(said));
  if (expired) {
    const why = 'the credentials are expired, and their source has no newer ones';
    return failed('credentials', firstSentence(said), [{ diagnosis: 'expired-credentials', why, fix: renew(profile) }]);
  }
  const nowhere: Cause = {
    diagnosis: 'no-credentials',
    why: 'the AWS SDK finds no credentials: not in the environment, the shared files, the container or the EC2 instance',
    fix: [{ shell: 'aws configure' }, { do: 'or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE' }],
  };
  const wrongProfile: Cause = {
    diagnosis: 'no-credentials',
    why: `the profile "${profile}" does not exist, or has no usable credentials`,
    fix: [{ shell: `aws configure list --profile ${shellWord(profile ?? 'default')}` }, ...renew(profile)],
  };
  return failed('credentials', firstSentence(said), [profile === undefined ? nowhere : wrongProfile]);
}

function renew(profile: string | undefined): readonly Fix[] {
  const flag = profile === undefined ? '' : ` --profile ${shellWord(profile)}`;
  return [{ shell: `aws sso login${flag}` }, { do: 'or, if they are not from SSO, get new ones from their source' }];
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const firstSentence = (text: string) => redact(text.split('\n', 1)[0] ?? '').replace(/\.$/, '');

/** The owner of the credentials. */
export interface Identity {
  readonly account: string;
  readonly arn: string;
}

export async function askIdentity(facts: Facts): Promise<Pick<Facts, 'identity'>> {
  const caller = callerOf(facts);
  if ('error' in caller) return { identity: caller };
  const { STS } = await import('@aws-sdk/client-sts');
  const sts = new STS(clientSettings(caller));
  try {
    const identity = await askAws(caller, 'sts:GetCallerIdentity', async (options) => {
      const { Account: account, Arn: arn } = await sts.getCallerIdentity({}, options);
      return account && arn ? { account, arn } : undefined;
    });
    return { identity };
  } finally {
    sts.destroy();
  }
}

/** The region in the AWS settings, where the AWS SDK looks for it: the environment, then the profile. */
export async function regionOfSettings(profile: string | undefined): Promise<string | undefined> {
  const { STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient(profile === undefined ? {} : { profile });
  try {
    return (await client.config.region()) || undefined;
  } catch {
    return undefined;
  } finally {
    client.destroy();
  }
}

/** Pure. */
export function judgeIdentity({ identity, profile }: Facts): Step {
  if ('answer' in identity) return passed('identity', `${identity.answer.arn}, account ${identity.answer.account}`);
  const { error } = identity;
  if (!(error instanceof AwsError) || error.code !== 'ERR_RDS_IAM_CREDENTIALS') {
    return notChecked('identity', error.message);
  }
  const seen = `AWS refuses these credentials: ${messageOf(error.cause)} (${error.awsCode})`;
  if (/^ExpiredToken|^RequestExpired/.test(awsCodeOf(identity))) {
    const why = 'the credentials are expired';
    return failed('identity', seen, [{ diagnosis: 'expired-credentials', why, fix: renew(profile) }]);
  }
  const why =
    'AWS does not know this access key, or the secret does not belong to it: it was deleted, or copied wrongly';
  const fix: readonly Fix[] = [{ shell: 'aws sts get-caller-identity' }, ...renew(profile)];
  return failed('identity', seen, [{ diagnosis: 'refused-credentials', why, fix }]);
}

import type { AwsCredentialIdentity } from '@rds-iam/core';
import { AwsError, callAws } from '../aws-call.js';
import type { Facts } from './facts.js';

export interface AwsCaller {
  readonly region: string;
  readonly credentials: AwsCredentialIdentity;
  /** For each call, in milliseconds. */
  readonly timeoutMs: number;
}

/** Why there is no answer. */
export interface Unanswered {
  readonly error: AwsError | { readonly message: string };
}

/** What AWS answered, or why there is no answer. */
export type Asked<Answer> = { readonly answer: Answer } | Unanswered;

export const unanswered = (message: string): Unanswered => ({ error: { message } });

/** The region and credentials for calls to AWS, or why there can be none. Pure. */
export function callerOf({ credentials, region, timeoutMs }: Facts): AwsCaller | Unanswered {
  if (!('identity' in credentials)) return unanswered('there are no credentials to call AWS with');
  if (region === undefined) return unanswered('there is no region to call AWS in');
  return { region, credentials: credentials.identity, timeoutMs };
}

/** AWS's own code for why it refused. */
export const awsCodeOf = ({ error }: Unanswered): string => (error instanceof AwsError && error.awsCode) || '';

/** Settings for a client of the AWS SDK. It retries only once, because somebody is waiting. */
export const clientSettings = ({
  region,
  credentials,
}: AwsCaller): Omit<AwsCaller, 'timeoutMs'> & { maxAttempts: number } => ({
  region,
  credentials,
  maxAttempts: 2,
});

/** Makes one call to AWS. Rejects only with errors that are not AWS's. @see callAws */
export async function askAws<Answer>(
  { timeoutMs }: Pick<AwsCaller, 'timeoutMs'>,
  action: string,
  ask: (options: { readonly abortSignal: AbortSignal }) => Promise<Answer | undefined>,
): Promise<Asked<Answer>> {
  try {
    return { answer: await callAws(action, ask, { timeoutMs }) };
  } catch (error) {
    if (error instanceof AwsError) return { error };
    throw error;
  }
}

export const answerOf = <Answer>(asked: Asked<Answer>): Answer | undefined =>
  'answer' in asked ? asked.answer : undefined;

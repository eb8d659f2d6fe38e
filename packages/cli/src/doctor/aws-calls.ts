import type { AwsCredentialIdentity } from '@rds-iam/core';
import { AwsError, callAws } from '../aws-call.js';
import type { Facts } from './facts.js';

export interface AwsCaller {
  readonly region: string;
  readonly credentials: AwsCredentialIdentity;
  /** For each question, in milliseconds. */
  readonly timeoutMs: number;
}

/** Why there is no answer. */
export interface Unanswered {
  readonly error: AwsError | { readonly message: string };
}

/** What AWS answered, or why there is no answer. */
export type Asked<Answer> = { readonly answer: Answer } | Unanswered;

export const unanswered = (message: string): Unanswered => ({ error: { message } });

/** Whom to ask, and as whom; else why nobody can be asked. Pure. */
export function callerOf({ credentials, region, timeoutMs }: Facts): AwsCaller | Unanswered {
  if (!('identity' in credentials)) return unanswered('there are no credentials to ask with');
  if (region === undefined) return unanswered('without a region, nobody can be asked');
  return { region, credentials: credentials.identity, timeoutMs };
}

/** AWS's own code for why it refused. */
export const awsCodeOf = ({ error }: Unanswered): string => (error instanceof AwsError && error.awsCode) || '';

/** For a client of the AWS SDK. It tries again once: a doctor is waited for. */
export const clientSettings = ({
  region,
  credentials,
}: AwsCaller): Omit<AwsCaller, 'timeoutMs'> & { maxAttempts: number } => ({
  region,
  credentials,
  maxAttempts: 2,
});

/** Asks AWS one thing. Rejects with what is no failure of AWS's only. @see callAws */
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

import type { AwsCredentialIdentity } from '@rds-iam/core';
import { AwsError, callAws } from '../aws-call.js';

/** Whom to ask, and as whom. */
export interface AwsCaller {
  readonly region: string;
  readonly credentials: AwsCredentialIdentity;
  /** For each question, in milliseconds. */
  readonly timeoutMs: number;
}

/** What AWS answered, or why there is no answer. */
export type Asked<Answer> = { readonly answer: Answer } | { readonly error: AwsError };

/** For a client of the AWS SDK. It tries again once: a doctor is waited for. */
export function clientSettings({ region, credentials }: AwsCaller): {
  readonly region: string;
  readonly credentials: AwsCredentialIdentity;
  readonly maxAttempts: number;
} {
  return { region, credentials, maxAttempts: 2 };
}

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

export const answerOf = <Answer>(asked: Asked<Answer> | undefined): Answer | undefined =>
  asked && 'answer' in asked ? asked.answer : undefined;

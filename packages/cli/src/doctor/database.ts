// What the RDS API knows of the database behind an endpoint.

import { AwsError } from '../aws-call.js';
import type { Database } from '../database.js';
import { DatabaseLookup } from '../database-lookup.js';
import { FailedError } from '../exit-code.js';
import { shellWord } from '../shell-word.js';
import { failed, notChecked, passed, type Step, warned } from './step.js';

/** The database, or why it is not known: AWS would not say, or has none of that name there. */
export type DatabaseSeen = { readonly database: Database } | { readonly error: AwsError | FailedError };

/** @param endpoint - of RDS */
export async function describeDatabase(
  endpoint: string,
  settings: { readonly region: string; readonly profile: string | undefined; readonly timeoutMs: number },
): Promise<DatabaseSeen> {
  const lookup = await DatabaseLookup.in(settings);
  try {
    return { database: await lookup.byEndpoint(endpoint) };
  } catch (error) {
    if (error instanceof AwsError || error instanceof FailedError) return { error };
    throw error;
  }
}

/** Pure. */
export function judgeDatabase(seen: DatabaseSeen): Step {
  if ('error' in seen) {
    if (seen.error instanceof AwsError) return notChecked('database', seen.error.message);
    const why = 'the database is not in the account of these credentials, and a token is good in that account only';
    const fix = [
      { shell: 'aws sts get-caller-identity' },
      {
        do: 'use credentials of the account that has the database, as those of a role there: AWS_PROFILE or --profile',
      },
    ];
    return failed('database', seen.error.message, [{ diagnosis: 'not-in-account', why, fix }]);
  }
  const {
    kind,
    identifier,
    resourceId,
    engine,
    engineVersion = '',
    iamEnabled,
    pendingIamEnabled,
    status,
    region,
  } = seen.database;
  const what = `${kind} "${identifier}" (${resourceId}), ${engine} ${engineVersion}`.trimEnd();
  if (!iamEnabled) {
    const pending = pendingIamEnabled === true ? ', and turning it on waits for the maintenance window' : '';
    const why = `IAM authentication is off on the ${kind} "${identifier}"${pending}`;
    const fix =
      kind === 'proxy'
        ? [{ do: 'let users of the proxy come with a token: aws rds modify-db-proxy --auth … with IAMAuth=REQUIRED' }]
        : [{ shell: `rds-iam enable --${kind} ${shellWord(identifier)} --region ${shellWord(region)}` }];
    return failed('database', `${what}: IAM authentication is off`, [{ diagnosis: 'iam-off', why, fix }]);
  }
  if (status !== 'available') {
    const why = `the ${kind} is "${status}"`;
    const fix = [{ do: 'wait until it is available, or start it' }];
    return warned('database', `${what} is "${status}"`, [{ diagnosis: 'database-not-available', why, fix }]);
  }
  return passed('database', `${what}: IAM authentication is on`);
}

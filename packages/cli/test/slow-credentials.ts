import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CREDENTIALS } from '@rds-iam/test-servers';
import { ACCOUNT, silence, startAws } from '@rds-iam/test-servers/aws';

/** Credentials of a role that AWS is asked for and never returns. */
export interface SlowCredentials extends AsyncDisposable {
  /** The environment of a command that will wait for them. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Resolves once it is waiting. */
  waitedFor(): Promise<void>;
}

export async function startSlowCredentials(): Promise<SlowCredentials> {
  const aws = await startAws({ sts: { AssumeRole: silence() } });
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-slow-'));
  const config = join(folder, 'config');
  writeFileSync(
    config,
    [
      ...['[profile slow]', `role_arn = arn:aws:iam::${ACCOUNT}:role/app`, 'source_profile = own', '[profile own]'],
      `aws_access_key_id = ${CREDENTIALS.accessKeyId}`,
      `aws_secret_access_key = ${CREDENTIALS.secretAccessKey}`,
    ].join('\n'),
  );
  return {
    variables: {
      ...aws.variables,
      ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      ...{ AWS_PROFILE: 'slow', AWS_CONFIG_FILE: config },
    },
    waitedFor: () => aws.asked('sts:AssumeRole'),
    async [Symbol.asyncDispose]() {
      await aws.close();
      rmSync(folder, { recursive: true });
    },
  };
}

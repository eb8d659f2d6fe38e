import { ACCOUNT, type Aws, type AwsCall, failure, result, startAws } from './aws.js';
import type { IssuedCredentials } from './http-stand-in.js';

interface StsFailure {
  readonly status: number;
  /** Such as `AccessDenied`. */
  readonly code: string;
  readonly message: string;
}

type Give = (call: AwsCall<string>) => IssuedCredentials | StsFailure;

/** A stand-in for the Security Token Service. Its answers can be changed between requests. */
export interface Sts extends Aws {
  /** Makes the credentials of the next answers, or the failure in their place. */
  respond(give: Give): void;
}

/** Starts a stand-in for AWS that gives out the credentials of roles, to be named in `AWS_ENDPOINT_URL_STS`. */
export async function startSts(give: Give, options?: { readonly region?: string }): Promise<Sts> {
  let current = give;
  const answer = (call: AwsCall<string>) => {
    const given = current(call);
    return 'status' in given ? failure(given.status, given.code, given.message) : result(assumedRole(given));
  };
  const aws = await startAws({ sts: { AssumeRole: answer, AssumeRoleWithWebIdentity: answer } }, options);
  return Object.assign(aws, {
    respond(next: Give) {
      current = next;
    },
  });
}

function assumedRole({ accessKeyId, secretAccessKey, sessionToken, expiration }: IssuedCredentials): object {
  return {
    AssumedRoleUser: { AssumedRoleId: 'AROAEXAMPLE:app', Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/app` },
    Credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: expiration,
    },
  };
}

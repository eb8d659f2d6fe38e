import type { AwsCredentialIdentity } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import { RdsIamError } from './errors.js';

export interface SigningRequest extends Endpoint {
  /** Absent: the signer reads it from the environment or the profile. */
  readonly region: string | undefined;
  readonly profile: string | undefined;
  readonly credentials: AwsCredentialIdentity;
}

/** Signs a token with AWS's own signer, loaded when it is first needed. */
export async function signWithAwsSdk({ region, profile, ...request }: SigningRequest): Promise<string> {
  const { Signer } = await import('@aws-sdk/rds-signer');
  const signer = new Signer({
    ...request,
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
  });
  let token: string;
  try {
    token = await signer.getAuthToken();
  } catch (cause) {
    if (region === undefined) throw noRegion(request.hostname, { cause });
    const message = `the token for "${request.hostname}" could not be signed: see the cause`;
    throw new RdsIamError('ERR_RDS_IAM_SIGNING', message, { cause });
  }
  // The signer takes an empty AWS_REGION at its word.
  if (regionOfToken(token) === '') throw noRegion(request.hostname);
  return token;
}

function noRegion(hostname: string, options?: { readonly cause: unknown }): RdsIamError {
  return new RdsIamError(
    'ERR_RDS_IAM_REGION',
    `no AWS region for "${hostname}": it is not an RDS endpoint with a region in its name and leads to none, so set "region" or AWS_REGION`,
    options,
  );
}

/** The region that a token was signed for, read from its credential scope. */
export function regionOfToken(token: string): string {
  return /[?&]X-Amz-Credential=[^&]*?%2F\d{8}%2F([^%&]+)%2F/.exec(token)?.[1] ?? '';
}

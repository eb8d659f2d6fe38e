import { isIP } from './builtins.js';
import type { AwsCredentialIdentity } from './credentials.js';
import { type Endpoint, isRegion } from './endpoint.js';
import { RdsIamError } from './errors.js';
import { signToken } from './sigv4.js';

export interface SigningRequest extends Endpoint {
  /** If absent, that of the environment or the profile. */
  readonly region: string | undefined;
  readonly profile: string | undefined;
  readonly credentials: AwsCredentialIdentity;
  /** The time of signing; if absent, now, by this machine's clock. */
  readonly signingDate?: Date | undefined;
}

/** Signs a token. If the region has to be looked up, AWS's own signer does both. */
export async function sign(request: SigningRequest): Promise<string> {
  const region = request.region ?? regionOfEnvironment();
  if (region === undefined) return signWithAwsSdk(request);
  try {
    return signToken({ ...request, region, signingDate: request.signingDate ?? new Date() });
  } catch (cause) {
    throw notSigned(request, cause);
  }
}

/** Signs a token with AWS's own signer, which finds a region that nobody named but knows no clock other than the machine's. */
async function signWithAwsSdk({ region: _, profile, signingDate, ...request }: SigningRequest): Promise<string> {
  const { Signer } = await import('@aws-sdk/rds-signer');
  let token: string;
  try {
    token = await new Signer({ ...request, ...(profile !== undefined && { profile }) }).getAuthToken();
  } catch (cause) {
    throw noRegion(request.hostname, { cause });
  }
  const region = regionOfToken(token);
  // The signer takes an empty AWS_REGION literally.
  if (region === '') throw noRegion(request.hostname);
  return signingDate ? signToken({ ...request, region, signingDate }) : token;
}

/** The region of the environment, which the SDK also prefers to the profile's. */
function regionOfEnvironment(): string | undefined {
  const { AWS_REGION } = process.env;
  return AWS_REGION !== undefined && isRegion(AWS_REGION) ? AWS_REGION : undefined;
}

function notSigned({ hostname }: Endpoint, cause: unknown): RdsIamError {
  return new RdsIamError('ERR_RDS_IAM_SIGNING', `the token for "${hostname}" could not be signed: see the cause`, {
    cause,
  });
}

function noRegion(hostname: string, options?: { readonly cause: unknown }): RdsIamError {
  return new RdsIamError(
    'ERR_RDS_IAM_REGION',
    `no AWS region for "${hostname}": neither it nor a CNAME behind it is an RDS endpoint with a region in its name, so ${whatToSet(hostname)}`,
    options,
  );
}

function whatToSet(hostname: string): string {
  const set = 'set "region" or AWS_REGION';
  if (hostname !== 'localhost' && isIP(hostname) === 0) return set;
  return `${set}; or, if it is a tunnel to an RDS endpoint, give that endpoint as the host and this address in the option "dial"`;
}

/** The region that a token was signed for, read from its credential scope. */
export function regionOfToken(token: string): string {
  return /[?&]X-Amz-Credential=[^&]*?%2F\d{8}%2F([^%&]+)%2F/.exec(token)?.[1] ?? '';
}

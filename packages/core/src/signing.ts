import type { AwsCredentialIdentity } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import { RdsIamError } from './errors.js';

export interface SigningRequest extends Endpoint {
  /** Absent: the signer reads it from the environment or the profile. */
  readonly region: string | undefined;
  readonly profile: string | undefined;
  readonly credentials: AwsCredentialIdentity;
  /** As of when; absent: now, by this machine's clock. */
  readonly signingDate?: Date | undefined;
}

/** Signs a token with AWS's own signer, loaded when it is first needed. */
export async function signWithAwsSdk({ region, profile, signingDate, ...request }: SigningRequest): Promise<string> {
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
  return signingDate ? signAgain(token, request, signingDate) : token;
}

/**
 * AWS's signer knows no clock but the machine's. What it has signed is signed again, as of another time, with that part of
 * the AWS SDK that it signs with.
 */
async function signAgain(
  token: string,
  { hostname, port, credentials }: Pick<SigningRequest, 'hostname' | 'port' | 'credentials'>,
  signingDate: Date,
): Promise<string> {
  const [{ SignatureV4 }, { Sha256 }, { buildQueryString }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@smithy/core/checksum'),
    import('@smithy/core/protocols'),
  ]);
  const asked = new URLSearchParams(token.slice(token.indexOf('?')));
  const query = { Action: asked.get('Action'), DBUser: asked.get('DBUser') };
  const host = `${hostname}:${port}`;
  const signer = new SignatureV4({ service: 'rds-db', region: regionOfToken(token), credentials, sha256: Sha256 });
  const signed = await signer.presign(
    { method: 'GET', protocol: 'https:', hostname, port, path: '/', query, headers: { host } },
    { expiresIn: Number(asked.get('X-Amz-Expires')), signingDate },
  );
  return `${host}/?${buildQueryString(signed.query ?? {})}`;
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

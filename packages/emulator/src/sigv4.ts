// AWS Signature Version 4, written from its specification:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
// No SDK is used, so that this cannot share a mistake with the signer that it checks.
import { createHash, createHmac } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** A request as SigV4 sees it. Names and values are not yet percent-encoded. */
export interface SignableRequest {
  readonly method: string;
  readonly path: string;
  readonly query: ReadonlyArray<readonly [name: string, value: string]>;
  /** The headers that are signed, with names in lower case. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Hex SHA-256 of the body, or the literal that the service expects in its place. */
  readonly payloadHash: string;
}

export interface CredentialScope {
  /** `yyyymmdd`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export const sha256Hex = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** Percent-encodes every byte of the UTF-8 form except the unreserved characters of RFC 3986. */
export function uriEncode(text: string): string {
  // encodeURIComponent leaves these five alone; SigV4 does not.
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function canonicalRequest(request: SignableRequest): string {
  const query = sorted(request.query.map(([name, value]) => [uriEncode(name), uriEncode(value)] as const));
  const headers = sorted(request.headers);
  return [
    request.method,
    request.path.split('/').map(uriEncode).join('/'),
    query.map(([name, value]) => `${name}=${value}`).join('&'),
    ...headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    headers.map(([name]) => name).join(';'),
    request.payloadHash,
  ].join('\n');
}

export function signingKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, scope.date), scope.region), scope.service), 'aws4_request');
}

/** The hex signature of a request made at `amzDate` (`yyyymmddThhmmssZ`). */
export function signature(
  secretAccessKey: string,
  amzDate: string,
  scope: CredentialScope,
  request: SignableRequest,
): string {
  const stringToSign = [
    ALGORITHM,
    amzDate,
    `${scope.date}/${scope.region}/${scope.service}/aws4_request`,
    sha256Hex(canonicalRequest(request)),
  ].join('\n');
  return hmac(signingKey(secretAccessKey, scope), stringToSign).toString('hex');
}

/** By code point of the encoded name, then of the value: not localeCompare. */
function sorted(pairs: ReadonlyArray<readonly [string, string]>): ReadonlyArray<readonly [string, string]> {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...pairs].sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
}

// Checks whether an IAM authentication token lets a user in, and if not, says why.
import { timingSafeEqual } from 'node:crypto';
import type { AccessKey } from './access-key.js';
import type { SeenToken } from './login-event.js';
import { ALGORITHM, sha256Hex, signature, uriEncode } from './sigv4.js';

/** Why a token was refused. RDS writes it to its log; the client never learns it. */
export type TokenRefusal = (typeof TOKEN_REFUSALS)[number];
export const TOKEN_REFUSALS = [
  'malformed',
  'unknown-access-key',
  'session-token',
  'wrong-region',
  'wrong-host',
  'wrong-port',
  'wrong-user',
  'bad-signature',
  'expired',
  'not-yet-valid',
  'not-authorized',
] as const;

/** What a token must have been signed for, and with which keys. */
export interface TokenExpectation {
  readonly username: string;
  readonly hostnames: readonly string[];
  readonly port: number;
  readonly region: string;
  readonly accessKeys: ReadonlyMap<string, AccessKey>;
  /** The server's clock, in milliseconds since the epoch. */
  readonly nowMs: number;
}

const SERVICE = 'rds-db';
const FINGERPRINT_DIGITS = 12;
const MAX_AGE_SECONDS = 900;
const MAX_CLOCK_SKEW_MS = 5 * 60_000;
const EMPTY_BODY = sha256Hex('');
const PARAMETERS = [
  'Action',
  'DBUser',
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const;
const OPTIONAL_PARAMETERS = ['X-Amz-Security-Token'] as const;

type Parameter = (typeof PARAMETERS)[number];

interface ParsedToken {
  readonly hostname: string;
  readonly port: string;
  readonly query: ReadonlyArray<readonly [name: string, value: string]>;
  readonly get: (name: Parameter) => string;
  readonly sessionToken: string | undefined;
}

/** Checks a token; `undefined` means that it is good. */
export function checkToken(token: string, expected: TokenExpectation): TokenRefusal | undefined {
  const parsed = parseToken(token);
  if (!parsed) return 'malformed';
  const { hostname, port, query, get, sessionToken } = parsed;

  const amzDate = get('X-Amz-Date');
  const signedAtMs = parseAmzDate(amzDate);
  const expiresSeconds = /^[1-9]\d{0,2}$/.test(get('X-Amz-Expires')) ? Number(get('X-Amz-Expires')) : Number.NaN;
  const [accessKeyId, date, region, service, terminator, ...rest] = get('X-Amz-Credential').split('/');
  if (
    signedAtMs === undefined ||
    !(expiresSeconds <= MAX_AGE_SECONDS) ||
    get('Action') !== 'connect' ||
    get('X-Amz-Algorithm') !== ALGORITHM ||
    get('X-Amz-SignedHeaders') !== 'host' ||
    !accessKeyId ||
    !region ||
    date !== amzDate.slice(0, 8) ||
    service !== SERVICE ||
    terminator !== 'aws4_request' ||
    rest.length > 0
  ) {
    return 'malformed';
  }

  const key = expected.accessKeys.get(accessKeyId);
  if (!key) return 'unknown-access-key';
  if (key.sessionToken !== sessionToken) return 'session-token';
  if (region !== expected.region) return 'wrong-region';
  if (!expected.hostnames.includes(hostname)) return 'wrong-host';
  if (port !== String(expected.port)) return 'wrong-port';
  if (get('DBUser') !== expected.username) return 'wrong-user';

  const wanted = signature(
    key.secretAccessKey,
    amzDate,
    { date, region, service },
    {
      method: 'GET',
      path: '/',
      query: query.filter(([name]) => name !== 'X-Amz-Signature'),
      headers: [['host', `${hostname}:${port}`]],
      payloadHash: EMPTY_BODY,
    },
  );
  if (!equalInConstantTime(wanted, get('X-Amz-Signature'))) return 'bad-signature';

  if (expected.nowMs - signedAtMs > expiresSeconds * 1000) return 'expired';
  if (signedAtMs - expected.nowMs > MAX_CLOCK_SKEW_MS) return 'not-yet-valid';
  if (key.usernames && !key.usernames.includes(expected.username)) return 'not-authorized';
  return undefined;
}

/** What may be shown of a token. `undefined` for anything else: it may be a password, and its hash could give it away. */
export function seenToken(token: string, nowMs: number): SeenToken | undefined {
  const signedAtMs = parseAmzDate(parseToken(token)?.get('X-Amz-Date') ?? '');
  if (signedAtMs === undefined) return undefined;
  return { fingerprint: sha256Hex(token).slice(0, FINGERPRINT_DIGITS), ageMs: nowMs - signedAtMs };
}

/** When a token that `checkToken` found good expires, in milliseconds since the epoch. */
export function tokenExpirationMs(token: string): number {
  const parsed = parseToken(token);
  const signedAtMs = parsed && parseAmzDate(parsed.get('X-Amz-Date'));
  return parsed && signedAtMs !== undefined ? signedAtMs + Number(parsed.get('X-Amz-Expires')) * 1000 : 0;
}

/** Parses `host:port/?name=value&…`. The slash is optional: the Go SDKs leave it out, and RDS accepts both. */
function parseToken(token: string): ParsedToken | undefined {
  const [, hostname, port, queryString] = /^([^/?#]+):(\d{1,5})\/?\?([\x21-\x7e]+)$/.exec(token) ?? [];
  if (hostname === undefined || port === undefined || queryString === undefined) return undefined;
  const values = new Map<string, string>();
  for (const pair of queryString.split('&')) {
    const [name, value, ...rest] = pair.split('=');
    if (name === undefined || value === undefined || rest.length > 0 || values.has(name)) return undefined;
    const decoded = decode(value);
    if (decoded === undefined) return undefined;
    values.set(name, decoded);
  }
  const sessionToken = values.get('X-Amz-Security-Token');
  const known = new Set<string>([...PARAMETERS, ...OPTIONAL_PARAMETERS]);
  if (PARAMETERS.some((name) => !values.get(name)) || [...values.keys()].some((name) => !known.has(name))) {
    return undefined;
  }
  return { hostname, port, query: [...values], get: (name) => values.get(name) ?? '', sessionToken };
}

/** Decodes the one encoding that SigV4 allows; other spellings of the same bytes (`%2f`, `+`) are not valid in a token. */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return uriEncode(decoded) === text ? decoded : undefined;
  } catch {
    return undefined;
  }
}

function parseAmzDate(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  if (second === undefined) return undefined;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(iso);
  // Date.parse accepts 24:00:00; formatting the result again reveals it.
  return Number.isFinite(at) && new Date(at).toISOString() === iso ? at : undefined;
}

function equalInConstantTime(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

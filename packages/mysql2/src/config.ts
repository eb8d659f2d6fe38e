import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import {
  checkDriverTls,
  checkEndpoint,
  configError,
  type DriverTls,
  type Endpoint,
  quotable,
  rdsIamOf,
  refusePassword,
} from '@rds-iam/core/adapter';

/** The names of the options that hold a password. */
export type Secret = 'password' | 'password1' | 'password2' | 'password3' | 'passwordSha1';

export type Given<Config> = string | (Config & { readonly iam?: RdsIamOptions | RdsIam });

/** A checked configuration: for the plain driver if IAM is off, otherwise with separate fields and no password. */
export type Checked<Config> =
  | { readonly iam: undefined; readonly config: string | Config }
  | {
      readonly iam: RdsIam;
      readonly config: Config;
      readonly endpoint: Endpoint;
      readonly ssl: DriverTls;
      readonly timeoutMs: number | undefined;
    };

interface Fields {
  readonly host?: string;
  readonly port?: number | string;
  readonly user?: string;
  readonly ssl?: unknown;
  readonly connectTimeout?: unknown;
}

const PASSWORDS: readonly Secret[] = ['password', 'password1', 'password2', 'password3', 'passwordSha1'];

/** Checks the configuration of a connection or a pool, and parses a connection URI. */
export function checkConfig<Config extends object>(
  given: Given<Config> | undefined,
  shared?: RdsIamOptions | RdsIam,
): Checked<Config> {
  const { iam: own, ...plain } = (typeof given === 'string' ? { uri: given } : (given ?? {})) as Config & {
    readonly iam?: RdsIamOptions | RdsIam;
  };
  const iam = rdsIamOf(own ?? shared);
  if (!iam.enabled) return { iam: undefined, config: typeof given === 'string' ? given : (plain as Config) };

  const { uri, ...fields } = plain as { readonly uri?: unknown };
  const config = withoutPasswords(withoutTlsParameters({ ...(uri !== undefined && fromUri(uri)), ...defined(fields) }));
  refuseWhatIamReplaces(config);
  const { ssl, connectTimeout, ...rest } = config as Fields;
  const tls = checkSsl(ssl);
  const endpoint = { hostname: rest.host ?? '', port: portOf(rest.port), username: rest.user ?? '' };
  checkEndpoint(endpoint);
  const timeoutMs = Number(connectTimeout ?? 0) || undefined;
  return { iam, config: rest as unknown as Config, endpoint, ssl: tls, timeoutMs };
}

function portOf(port: unknown): number {
  return (port ?? '') === '' ? 3306 : Number(port);
}

const REPLACED: Readonly<Record<string, string>> = {
  socketPath: 'is a Unix socket, which carries no TLS and no IAM authentication: give the RDS endpoint in "host"',
  insecureAuth: 'allows passwords of MySQL 4.0: remove it',
  authSwitchHandler: 'would answer the server in place of the IAM login: remove it',
};

function refuseWhatIamReplaces(config: Readonly<Record<string, unknown>>): void {
  for (const [name, why] of Object.entries(REPLACED)) {
    if (config[name]) throw configError(name, why);
  }
  const plugins: unknown = config['authPlugins'];
  if (typeof plugins === 'object' && plugins !== null && 'mysql_clear_password' in plugins) {
    throw configError(
      'authPlugins.mysql_clear_password',
      'would answer the server in place of the IAM login: remove it',
    );
  }
  const stream: unknown = config['stream'];
  if (stream !== undefined && typeof stream !== 'function') {
    throw configError('stream', 'must be a function that returns a stream: a stream itself serves one attempt only');
  }
}

/**
 * Checks a driver's `ssl` for what IAM allows. The name of mysql2's profile asks for nothing that IAM does not do anyway, and
 * neither does `true`, which a framework that parses a URI passes on as a string.
 */
function checkSsl(ssl: unknown): DriverTls {
  if (ssl === undefined || ssl === 'Amazon RDS' || ssl === 'true' || ssl === '1') return undefined;
  if (typeof ssl === 'string') {
    throw configError(
      'ssl',
      'must be true or an object of TLS options, got a string: remove it to trust the RDS roots',
    );
  }
  if (typeof ssl !== 'object' || ssl === null) {
    checkDriverTls(ssl);
    return ssl;
  }
  const { verifyIdentity, ...options } = ssl as { readonly verifyIdentity?: unknown };
  if (verifyIdentity !== undefined && verifyIdentity !== true) {
    throw configError(
      'ssl.verifyIdentity',
      'is off, but an IAM token may only go to a verified server: remove it, and connect by the name in the certificate',
    );
  }
  checkDriverTls(options);
  return options;
}

/** The TLS parameters in other clients' URIs, and the values that ask for what IAM does anyway. */
const TLS_PARAMETERS: readonly (readonly [name: RegExp, harmless: RegExp])[] = [
  [/^ssl-?mode$/i, /^(?:require|required|verify[-_](?:ca|full|identity))$/i],
  [/^(?:use|require)ssl$/i, /^(?:true|1)$/i],
  [/^verifyServerCertificate$/i, /^(?:true|1)$/i],
  [/^ssl-?accept$/i, /^strict$/i],
  [/^ssl-?verify(?:-server-cert)?$/i, /^(?:true|1)$/i],
  [/^rejectUnauthorized$/i, /^(?:true|1)$/i],
  [/^(?:tls|ssl)$/i, /^(?:true|1|Amazon RDS|[{"].*)$/is],
];

/**
 * Refuses, by name, what contradicts IAM authentication in a connection URL: for a framework that parses the URL itself and
 * passes only the result to the driver.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export function checkConnectionUrl(url: string): void {
  checkSsl(withoutPasswords(fromUri(url))['ssl']);
}

function withoutPasswords(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  for (const name of PASSWORDS) refusePassword(name, config[name]);
  return Object.fromEntries(Object.entries(config).filter(([name]) => !PASSWORDS.includes(name as Secret)));
}

/** The fields of a connection URI, as mysql2 reads them, without those that ask for what IAM authentication does anyway. */
function fromUri(uri: unknown): Record<string, unknown> {
  let url: URL;
  try {
    url = new URL(uri as string);
  } catch {
    // Without the cause, which repeats the URI and any password in it.
    throw configError(undefined, 'the connection URI cannot be parsed: write it as mysql://app@HOST:3306/db');
  }
  if (url.password) {
    throw configError(
      undefined,
      'the connection URI contains a password, which cannot be used with IAM: remove it, or set "iam.enabled" to false',
    );
  }
  const fields: Record<string, unknown> = {
    host: decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1')) || undefined,
    port: url.port ? Number(url.port) : undefined,
    user: decodeURIComponent(url.username) || undefined,
    database: decodeURIComponent(url.pathname.slice(1)) || undefined,
  };
  for (const [name, value] of url.searchParams) {
    const isForTls = isTlsParameter(name, value, ' in the connection URI');
    if ((!isForTls || /^[{"]/.test(value)) && fields[name] === undefined) fields[name] = parsed(value);
  }
  return defined(fields);
}

/** Whether a parameter is about TLS; one that asks for less than IAM requires is refused. */
function isTlsParameter(name: string, value: string, where = ''): boolean {
  const rule = TLS_PARAMETERS.find(([pattern]) => pattern.test(name));
  if (rule && !rule[1].test(value)) {
    throw configError(
      undefined,
      `"${name}=${quotable(value)}"${where} weakens the TLS that IAM authentication needs: remove it`,
    );
  }
  return rule !== undefined;
}

/** Frameworks that parse a URI pass on its parameters as options, of which mysql2 knows only `ssl`. */
function withoutTlsParameters(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(([name, value]) => name === 'ssl' || !isTlsParameter(name, String(value))),
  );
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

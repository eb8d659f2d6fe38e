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
  refusePasswordInUrl,
  type WithIam,
} from '@rds-iam/core/adapter';
import pg from 'pg';
import { parse } from 'pg-connection-string';

/** pg's own `ClientConfig`, with `iam` in place of `password`. */
export type ClientConfig = WithIam<pg.ClientConfig>;

/** pg's own `PoolConfig`, with `iam` in place of `password`. */
export type PoolConfig = WithIam<pg.PoolConfig>;

/** A checked configuration: for the plain driver if IAM is off, otherwise with separate fields and no password. */
export type Checked<Config> = { readonly iam: undefined; readonly config: Config } | CheckedForIam<Config>;

/** A checked configuration for a login with IAM. */
export interface CheckedForIam<Config> {
  readonly iam: RdsIam;
  readonly config: Config;
  readonly ssl: DriverTls;
  readonly endpoint: Endpoint;
  /** Start TLS right away, without the SSLRequest message. */
  readonly directTls: boolean;
}

/** Checks the configuration of a client or a pool, and parses a connection URL. */
export function checkConfig<Config extends pg.ClientConfig>(
  given: string | (Config & { readonly iam?: RdsIamOptions | RdsIam }) | undefined,
): Checked<Config> {
  const whole = (typeof given === 'string' ? { connectionString: given } : (given ?? {})) as Config & {
    readonly iam?: RdsIamOptions | RdsIam;
  };
  // By name, because pg's pool makes the password non-enumerable in its options.
  const { iam: iamOption, password, ...plain } = whole;
  const iam = rdsIamOf(iamOption);
  if (!iam.enabled) {
    return { iam: undefined, config: { ...plain, ...(password !== undefined && { password }) } as unknown as Config };
  }

  const { connectionString, ...fields } = plain as pg.ClientConfig;
  const config: pg.ClientConfig & { readonly sslnegotiation?: string | undefined } = {
    ...fields,
    ...(connectionString !== undefined && fromUrl(connectionString, fields.ssl)),
  };
  refusePassword('password', password);
  if ('connection' in config && config.connection) {
    throw configError(
      'connection',
      'is a connection that does not log in with IAM: remove it, and give a socket of your own in "stream"',
    );
  }
  // pg's own default is `false`.
  const ssl: unknown = config.ssl ?? (pg.defaults.ssl || undefined);
  checkDriverTls(ssl);
  const { defaults } = pg;
  const host = config.host ?? (process.env['PGHOST'] || (defaults.host === STOCK_HOST ? undefined : defaults.host));
  const endpoint = {
    hostname: host ?? '',
    port: portOf(config.port) ?? Number(process.env['PGPORT'] || defaults.port),
    username: config.user ?? (process.env['PGUSER'] || defaults.user || process.env['USERNAME'] || ''),
  };
  checkEndpoint(endpoint);
  const { hostname, port, username: user } = endpoint;
  return {
    iam,
    ssl,
    endpoint,
    directTls: (config.sslnegotiation ?? process.env['PGSSLNEGOTIATION']) === 'direct',
    config: { ...config, host: hostname, port, user } as unknown as Config,
  };
}

/** The host that pg dials by default, which is never intended with IAM. */
const STOCK_HOST = 'localhost';

/** Frameworks that parse a URL pass on an empty string or `null` if it has no port. */
function portOf(port: unknown): number | undefined {
  return (port ?? '') === '' ? undefined : Number(port);
}

/**
 * Refuses, by name, what contradicts IAM authentication in a connection URL: for a framework that parses the URL itself and
 * passes only the result to the driver.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export function checkConnectionUrl(url: string): void {
  fromUrl(url, undefined);
}

const VERIFYING = ['require', 'verify-ca', 'verify-full'];

/** The fields of a connection URL, without those that ask for what IAM authentication does anyway. */
function fromUrl(url: string, ssl: pg.ClientConfig['ssl']): pg.ClientConfig {
  if (typeof url !== 'string')
    throw configError('connectionString', 'must be a string, such as postgres://app@HOST:5432/db');
  const [base = '', query = ''] = url.split(/\?(.*)/s, 2);
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    if (name === 'sslmode' && !VERIFYING.includes(value)) {
      throw configError(
        'connectionString',
        `has "sslmode=${quotable(value)}" in it, which weakens the TLS that IAM authentication needs: use sslmode=verify-full, or remove it`,
      );
    }
    if (name === 'ssl' && value !== 'true' && value !== '1') {
      throw configError(
        'connectionString',
        `has "ssl=${quotable(value)}" in it, which weakens the TLS that IAM authentication needs: remove it`,
      );
    }
  }
  for (const name of ['sslmode', 'ssl', 'uselibpqcompat']) parameters.delete(name);

  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(parameters.size > 0 ? `${base}?${parameters}` : base);
  } catch (cause) {
    throw configError('connectionString', 'cannot be parsed: write it as postgres://app@HOST:5432/db', cause);
  }
  refusePasswordInUrl('connectionString', parsed.password);
  const { password: _, ssl: files, ...fields } = parsed;
  // Parts that are missing in the URL, above all the port, are empty.
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => (value ?? '') !== ''));
  return {
    ...given,
    ...(typeof files === 'object' && {
      ssl: { ...(typeof ssl === 'object' ? ssl : {}), ...files } as pg.ClientConfig['ssl'],
    }),
  } as pg.ClientConfig;
}

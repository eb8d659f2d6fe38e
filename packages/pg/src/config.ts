import {
  checkDriverTls,
  checkEndpoint,
  configError,
  type DriverTls,
  type RdsIam,
  type RdsIamOptions,
  rdsIamOf,
  type WithIam,
} from '@rds-iam/core';
import type * as pg from 'pg';
import { parse } from 'pg-connection-string';

/** pg's own `ClientConfig`, with `iam` in place of `password`. */
export type ClientConfig = WithIam<pg.ClientConfig>;

/** pg's own `PoolConfig`, with `iam` in place of `password`. */
export type PoolConfig = WithIam<pg.PoolConfig>;

/** A configuration that was checked: for the plain driver where IAM is off, else with discrete fields and no password. */
export type Checked<Config> =
  | { readonly iam: undefined; readonly config: Config }
  | { readonly iam: RdsIam; readonly config: Config & { readonly host: string }; readonly ssl: DriverTls };

/** Checks a configuration of a client or a pool, and takes a connection URL apart. */
export function checkConfig<Config extends pg.ClientConfig>(
  given: string | (Config & { readonly iam?: RdsIamOptions | RdsIam }) | undefined,
): Checked<Config> {
  const { iam: iamOption, ...plain } = (
    typeof given === 'string' ? { connectionString: given } : (given ?? {})
  ) as Config & {
    readonly iam?: RdsIamOptions | RdsIam;
  };
  const iam = rdsIamOf(iamOption);
  if (!iam.enabled) return { iam: undefined, config: plain as unknown as Config };

  const { connectionString, password, ...fields } = plain as pg.ClientConfig;
  const config = { ...fields, ...(connectionString !== undefined && fromUrl(connectionString, fields.ssl)) };
  // ORMs hand on `null` or '' where no password was given.
  if (password) {
    throw configError('"password" is given beside IAM: remove it, or set "iam.enabled" to false to log in with it');
  }
  const ssl: unknown = config.ssl;
  checkDriverTls(ssl);
  const host = config.host ?? process.env['PGHOST'] ?? '';
  checkEndpoint({
    hostname: host,
    port: Number(config.port ?? process.env['PGPORT'] ?? 5432),
    username: config.user ?? process.env['PGUSER'] ?? process.env['USER'] ?? process.env['USERNAME'] ?? '',
  });
  return { iam, ssl, config: { ...config, host } as unknown as Config & { readonly host: string } };
}

/**
 * Refuses, by name, what contradicts IAM authentication in a connection URL: for a framework that takes the URL apart by
 * itself, and shows the driver what it made of it.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export function checkConnectionUrl(url: string): void {
  fromUrl(url, undefined);
}

const VERIFYING = ['require', 'verify-ca', 'verify-full'];

/** The fields of a connection URL, less those that only say what IAM authentication does anyway. */
function fromUrl(url: string, ssl: pg.ClientConfig['ssl']): pg.ClientConfig {
  if (typeof url !== 'string')
    throw configError('"connectionString" must be a text, as in postgres://app@HOST:5432/db');
  const [base = '', query = ''] = url.split(/\?(.*)/s, 2);
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    if (name === 'sslmode' && !VERIFYING.includes(value)) {
      throw configError(
        `"sslmode=${word(value)}" in "connectionString" takes away what IAM authentication needs: use sslmode=verify-full, or remove it`,
      );
    }
    if (name === 'ssl' && value !== 'true' && value !== '1') {
      throw configError(
        `"ssl=${word(value)}" in "connectionString" takes away what IAM authentication needs: remove it`,
      );
    }
  }
  for (const name of ['sslmode', 'ssl', 'uselibpqcompat']) parameters.delete(name);

  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(parameters.size > 0 ? `${base}?${parameters}` : base);
  } catch (cause) {
    throw configError('"connectionString" cannot be read: give it as postgres://app@HOST:5432/db', cause);
  }
  if (parsed.password) {
    throw configError('"connectionString" has a password in it, beside IAM: remove it, or set "iam.enabled" to false');
  }
  const { password: _, ssl: files, ...fields } = parsed;
  // What a URL does not name, its port above all, is empty.
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => (value ?? '') !== ''));
  return {
    ...given,
    ...(typeof files === 'object' && {
      ssl: { ...(typeof ssl === 'object' ? ssl : {}), ...files } as pg.ClientConfig['ssl'],
    }),
  } as pg.ClientConfig;
}

/** A value of a URL, cut down to what can be no secret. */
function word(value: string): string {
  return /^[\w-]{0,20}$/.test(value) ? value : '…';
}

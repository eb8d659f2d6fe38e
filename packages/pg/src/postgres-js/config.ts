import { userInfo } from 'node:os';
import type { Duplex } from 'node:stream';
import {
  checkDriverTls,
  checkEndpoint,
  configError,
  type DriverTls,
  quotable,
  refusePassword,
} from '@rds-iam/core/adapter';

/** Options as postgres.js reads them, including some that its types leave out. */
export interface Fields {
  readonly host?: unknown;
  readonly hostname?: unknown;
  readonly port?: unknown;
  readonly user?: unknown;
  readonly username?: unknown;
  readonly path?: unknown;
  readonly password?: unknown;
  readonly pass?: unknown;
  readonly ssl?: unknown;
  readonly sslnegotiation?: unknown;
  readonly connect_timeout?: unknown;
  readonly connection?: object | undefined;
  readonly socket?: unknown;
}

/** Checked options for a login with IAM. */
export interface Checked {
  /** The options that are left to postgres.js. */
  readonly fields: Fields;
  readonly ssl: DriverTls;
  readonly directTls: boolean;
  readonly timeoutMs: number | undefined;
  /** The name of the option or variable that `timeoutMs` comes from. */
  readonly timeoutOption: string;
  readonly socket: MakeSocket | undefined;
}

/** The option `socket` of postgres.js. */
export type MakeSocket = (options: SocketOptions) => Duplex | Promise<Duplex>;

/** The options that postgres.js passes to its `socket` option. */
export interface SocketOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly user: string;
  readonly keep_alive: number | null;
}

/** Checks the options of postgres.js for a login with IAM. */
export function checkFields(given: Fields): Checked {
  const { host, hostname, port, user, username, path, password, pass, ...rest } = given;
  for (const [name, value] of Object.entries({ password, pass })) refusePassword(name, value);
  if (path) {
    throw configError(
      'path',
      'is a Unix socket, which carries no TLS and no IAM authentication: give the RDS endpoint in "host"',
    );
  }
  const endpoint = {
    hostname: hostOf(hostname ?? host ?? process.env['PGHOST'] ?? ''),
    port: Number(port ?? process.env['PGPORT'] ?? 5432),
    username: userOf(user ?? username ?? process.env['PGUSERNAME'] ?? process.env['PGUSER']),
  };
  checkEndpoint(endpoint);
  const { ssl, sslnegotiation, connect_timeout, socket, ...fields } = rest;
  const seconds = Number(connect_timeout ?? process.env['PGCONNECT_TIMEOUT'] ?? 0);
  return {
    // As lists, because the driver would look for a port in a string.
    fields: { ...fields, host: [endpoint.hostname], port: [endpoint.port], user: endpoint.username },
    ssl: checkSsl(ssl),
    directTls: (sslnegotiation ?? process.env['PGSSLNEGOTIATION']) === 'direct',
    timeoutMs: seconds * 1_000 || undefined,
    timeoutOption: connect_timeout === undefined ? 'PGCONNECT_TIMEOUT' : 'connect_timeout',
    socket: checkSocket(socket),
  };
}

function hostOf(host: unknown): string {
  if (Array.isArray(host) || String(host).includes(',')) {
    throw configError(
      'host',
      'names several servers: give the cluster endpoint, which leads to the writer, and use one connection pool for each endpoint',
    );
  }
  return host as string;
}

function userOf(user: unknown): string {
  if (user !== undefined) return user as string;
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

/** The string settings for TLS that ask for what IAM does anyway. */
const VERIFYING = ['require', 'verify-ca', 'verify-full', 'true'];

function checkSsl(ssl: unknown): DriverTls {
  if (typeof ssl !== 'string') {
    checkDriverTls(ssl);
    return ssl;
  }
  if (VERIFYING.includes(ssl)) return true;
  throw configError(
    'ssl',
    `is '${quotable(ssl)}', which weakens the TLS that IAM authentication needs: use 'verify-full', or remove it`,
  );
}

function checkSocket(socket: unknown): MakeSocket | undefined {
  if (socket === undefined || typeof socket === 'function') return socket as MakeSocket | undefined;
  throw configError('socket', 'must be a function that returns a socket');
}

/** The options that postgres.js takes from a URL's parameters; all others are session settings. */
const OPTIONS_IN_URLS = [
  'max',
  'ssl',
  'sslnegotiation',
  'idle_timeout',
  'connect_timeout',
  'max_lifetime',
  'max_pipeline',
  'backoff',
  'keep_alive',
  'prepare',
  'debug',
  'fetch_types',
  'publications',
  'target_session_attrs',
];

/** The options in a connection URL, as postgres.js reads it, merged with those that are given beside it. */
export function withUrl(given: string, beside: Fields): Fields {
  // A list of hosts with ports is not a valid URL: parse it with the first alone.
  const [, hosts = ''] = /^[^:]+:\/\/(?:[^@/?#]*@)?([^/?#]*)/.exec(given) ?? [];
  let url: URL;
  try {
    url = new URL(given.replace(hosts, () => hosts.split(',')[0] ?? ''));
  } catch {
    throw unreadable();
  }
  const options: Record<string, unknown> = {};
  const settings: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    const option = name === 'sslmode' ? 'ssl' : name;
    if (OPTIONS_IN_URLS.includes(option)) options[option] = value === 'disable' || value === 'false' ? false : value;
    else settings[name] = value;
  }
  const several = hosts.includes(',');
  return {
    ...present({
      host: decoded(several ? hosts : url.hostname.replace(/^\[(.*)\]$/, '$1')),
      port: several ? '' : url.port,
      user: decoded(url.username),
      password: decoded(url.password),
      database: decoded(url.pathname.slice(1)),
    }),
    ...options,
    ...Object.fromEntries(Object.entries(beside).filter(([, value]) => value !== undefined)),
    connection: { ...beside.connection, ...settings },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unreadable();
  }
}

/** Without the cause, which repeats the URL and any password in it. */
function unreadable(): Error {
  return configError(undefined, 'the connection URL cannot be parsed: write it as postgres://app@HOST:5432/db');
}

function present(texts: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''));
}

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { checkEndpoint, configError } from '@rds-iam/core/adapter';
import type { ProxyEvent } from './event.js';

/** A database, and the user that logs in to it. */
export interface ProxyTarget {
  /** `mysql` stands for MySQL and MariaDB. */
  readonly engine: 'postgres' | 'mysql';
  /** The RDS endpoint, or a CNAME of it. */
  readonly hostname: string;
  readonly port: number;
  /** The database user. */
  readonly username: string;
  /** The only database that clients may ask for, and the default if they name none. @defaultValue any */
  readonly database?: string;
}

/** See {@link startProxy}. */
export interface ProxyOptions {
  /** The databases; each gets its own port or socket. */
  readonly targets: readonly ProxyTarget[];
  /** IAM options, or the result of `createRdsIam`. @defaultValue the default credential chain */
  readonly iam?: RdsIamOptions | RdsIam;
  /**
   * The address to listen on. Any address except loopback requires `tls` and a password.
   * @defaultValue `'127.0.0.1'`
   */
  readonly address?: string;
  /**
   * The port of the first target, 0 to 65535; each further target gets the next. 0 stands for free ports.
   * @defaultValue 0
   */
  readonly port?: number;
  /**
   * A folder for Unix sockets, in place of ports. Only its owner may have access to it; it is created if it does not exist.
   * PostgreSQL's sockets have the names that libpq looks for, with `port`, or 5432 and up.
   */
  readonly socketFolder?: string;
  /**
   * The password for clients; `false` for none.
   * @defaultValue a random one at each start; none at Unix sockets
   */
  readonly password?: string | false;
  /**
   * How PostgreSQL's clients prove that they know the password; `password` is clear text, for old clients.
   * @defaultValue `'scram-sha-256'`
   */
  readonly passwordMethod?: 'scram-sha-256' | 'password';
  /** Allows `password: false` at a port, which lets in everybody with an account on this machine. @defaultValue false */
  readonly trustLocalUsers?: boolean;
  /** A certificate and its key (PEM), for clients that want TLS. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Lets clients name other users and databases than the targets do. @defaultValue false */
  readonly anyUser?: boolean;
  /** How many clients may be logged in or about to be (1 to 1_000_000). @defaultValue no limit except the database's */
  readonly maxConnections?: number;
  /** How many clients may be connected but not logged in (1 to 100_000); beyond, the oldest is dropped. @defaultValue 2_000 */
  readonly maxUnauthenticated?: number;
  /** How long a client may take for its part of a login, in milliseconds (1 to 600_000). @defaultValue 10_000 */
  readonly authenticationTimeoutMs?: number;
  /**
   * A port for HTTP: `/startup`, `/liveness` and `/readiness` for an orchestrator, `/metrics` for Prometheus, and `/`, a live
   * page. It shows who logs in where, and no secrets. Its address is loopback unless another one is given.
   * @defaultValue none
   */
  readonly http?: { readonly port: number; readonly address?: string };
  /** The proxy's log: called with every event of a client. An exception in it is uncaught. */
  readonly onEvent?: (event: ProxyEvent) => void;
}

/** Where the proxy listens. */
export type ListenAt =
  | { readonly address: string; readonly port: number }
  | { readonly folder: string; readonly port: number | undefined };

export interface CheckedOptions extends ProxyOptions {
  readonly listenAt: ListenAt;
  /** Whether to generate a password. */
  readonly makesPassword: boolean;
  readonly requiresTls: boolean;
  /** The limit of new connections per second, if the IAM options or the engine have one. */
  readonly knownLimit: number | undefined;
  readonly maxConnections: number;
  readonly maxUnauthenticated: number;
  readonly authenticationTimeoutMs: number;
}

const NAMES: Readonly<Record<keyof ProxyOptions, true>> = {
  ...{ targets: true, iam: true, address: true, port: true, socketFolder: true, password: true },
  ...{
    passwordMethod: true,
    trustLocalUsers: true,
    tls: true,
    anyUser: true,
    maxConnections: true,
    maxUnauthenticated: true,
    authenticationTimeoutMs: true,
  },
  ...{ http: true, onEvent: true },
};

/** Checks every option, with errors that the user can act on, and fills in the defaults. */
export function checkOptions(options: ProxyOptions): CheckedOptions {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown !== undefined) {
    throw configError(unknown, `is no option: the known ones are ${Object.keys(NAMES).join(', ')}`);
  }
  const { targets, address = '127.0.0.1', port, socketFolder, password, trustLocalUsers = false, tls } = options;
  const { passwordMethod } = options;
  if (!Array.isArray(targets) || targets.length === 0) {
    throw configError('targets', 'must name a database at least: { engine, hostname, port, username }');
  }
  targets.forEach(checkTarget);
  if (socketFolder !== undefined && options.address !== undefined) {
    throw configError('socketFolder', 'and "address" exclude each other: a Unix socket has no address');
  }
  whole('port', port ?? 0, 0, 65_535 - targets.length + 1);
  if (password !== undefined && password !== false && !(typeof password === 'string' && /^[!-~]+$/.test(password))) {
    // Clients differ in how they normalize other characters for SCRAM.
    throw configError('password', 'must be printable characters of ASCII without a space, or false');
  }
  if (passwordMethod !== undefined && !['scram-sha-256', 'password'].includes(passwordMethod)) {
    throw configError('passwordMethod', 'must be scram-sha-256 or password');
  }
  const atPort = socketFolder === undefined;
  if (atPort && password === false && !trustLocalUsers) {
    throw configError(
      'password',
      'is false, which lets everybody on this machine log in to the database: give "socketFolder", whose sockets only you can reach, or set "trustLocalUsers" to true',
    );
  }
  const isExposed = atPort && !isLoopback(address);
  if (isExposed && (tls === undefined || password === false)) {
    const missing = tls === undefined ? '"tls"' : 'a password';
    throw configError('address', `is ${address}, which others on the network can reach: that takes ${missing}`);
  }
  if (options.http !== undefined) whole('http.port', options.http?.port, 0, 65_535);
  return {
    ...options,
    listenAt: atPort ? { address, port: port ?? 0 } : { folder: resolve(socketFolder), port },
    makesPassword: password === undefined && atPort,
    requiresTls: isExposed,
    knownLimit: knownLimit(options),
    maxConnections:
      options.maxConnections === undefined
        ? Number.POSITIVE_INFINITY
        : whole('maxConnections', options.maxConnections, 1, 1_000_000),
    maxUnauthenticated: whole('maxUnauthenticated', options.maxUnauthenticated ?? 2_000, 1, 100_000),
    authenticationTimeoutMs: whole('authenticationTimeoutMs', options.authenticationTimeoutMs ?? 10_000, 1, 600_000),
  };
}

function knownLimit({ iam, targets }: ProxyOptions): number | undefined {
  const given = iam !== undefined && 'maxConnectionsPerSecond' in iam ? iam.maxConnectionsPerSecond : undefined;
  return given ?? (targets.every(({ engine }) => engine === 'mysql') ? MYSQL_CONNECTIONS_PER_SECOND : undefined);
}

/** Core's default for MySQL and MariaDB. */
const MYSQL_CONNECTIONS_PER_SECOND = 200;

function checkTarget(target: ProxyTarget): void {
  if (target.engine !== 'postgres' && target.engine !== 'mysql') {
    throw configError('engine', 'of a target must be postgres or mysql');
  }
  checkEndpoint(target);
}

function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw configError(name, `must be a whole number from ${min} to ${max}`);
}

/** Whether only this machine can reach an address. A name could lead anywhere. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

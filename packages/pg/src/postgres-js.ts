import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { rdsIamOf, type WithIam } from '@rds-iam/core/adapter';
import type { Options as DriverOptions, PostgresType } from 'postgres';
import { checkFields, type Fields, type MakeSocket, type SocketOptions, withUrl } from './postgres-js/config.js';
import { IamStream } from './wire/iam-stream.js';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';

/** The type parameter for value types in postgres.js. */
export type Types = Record<string, PostgresType>;

/** postgres.js's own `Options`, with `iam` in place of the password. */
export type Options<T extends Types = Types> = WithIam<DriverOptions<T>, 'password' | 'pass'> & {
  readonly types?: T | undefined;
};

type Given = Fields & { readonly iam?: RdsIamOptions | RdsIam };

/**
 * Options for `postgres()` of postgres.js that log in with IAM: the same options without the password, plus `iam`. Every
 * physical connection logs in with a token that is valid at that time. A failed login is retried if that can help, within
 * `connect_timeout` or else `iam.retry.timeoutMs`, and then fails the query that needed the connection.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code from queries
 */
export function withRdsIam<T extends Types = Types>(options?: Options<T>): DriverOptions<T>;
/** With a connection URL, and options that override it. */
export function withRdsIam<T extends Types = Types>(url: string, options?: Options<T>): DriverOptions<T>;
export function withRdsIam(urlOrOptions?: string | Given, beside?: Given): object {
  const url = typeof urlOrOptions === 'string' ? urlOrOptions : undefined;
  const { iam: given, ...own } = (url === undefined ? (urlOrOptions as Given) : beside) ?? {};
  const options = url === undefined ? own : withUrl(url, own);
  const iam = rdsIamOf(given);
  if (!iam.enabled) return options;

  const { fields, ssl, directTls, timeoutMs, timeoutOption, socket } = checkFields(options);
  return {
    ...fields,
    // The stream handles all three.
    ssl: false,
    sslnegotiation: null,
    connect_timeout: 0,
    socket: (driver: SocketOptions) =>
      new IamStream({
        iam,
        endpoint: { hostname: driver.host[0] ?? '', port: driver.port[0] ?? 0, username: driver.user },
        driver: {
          directTls,
          dial: ({ hostname, port }) => dial({ ...driver, host: [hostname], port: [port] }, socket),
        },
        ssl,
        ...(timeoutMs !== undefined && { timeoutMs, timeoutOption }),
      }),
  };
}

async function dial(options: SocketOptions, makeSocket: MakeSocket | undefined): Promise<Duplex> {
  const { host, port, keep_alive: keepAliveSeconds } = options;
  if (makeSocket) return makeSocket(options);
  return connect({
    host: host[0],
    port: port[0] ?? 0,
    noDelay: true,
    ...(keepAliveSeconds && { keepAlive: true, keepAliveInitialDelay: keepAliveSeconds * 1_000 }),
  });
}

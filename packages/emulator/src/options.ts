// The emulator's options, and their checks.
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { AccessKey } from './access-key.js';
import { fail, integer, names, object, oneOf, text, unknownNames } from './checks.js';
import { checkFaults, type Faults } from './faults.js';
import type { LoginEvent } from './login-event.js';

/** The engine whose protocol an emulator speaks with clients and the upstream. */
export type Engine = 'postgres' | 'mysql';

/** The database behind the emulator. */
export interface UpstreamOptions {
  /** PostgreSQL: a path is the folder of its Unix socket, as in `/var/run/postgresql`. */
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
  /**
   * The user that the emulator logs in as on behalf of users whose token was good.
   * @defaultValue the user's own name
   */
  readonly username?: string;
  /**
   * The emulator's password for the upstream, if that asks for one (PostgreSQL: clear text, MD5 or SCRAM-SHA-256; MySQL:
   * `mysql_native_password` or `caching_sha2_password`): one for all users, or a function of the user name.
   * @defaultValue none, for an upstream that trusts the emulator or whose accounts have empty passwords
   */
  readonly password?: string | ((username: string) => string | undefined);
  /**
   * Connects to the upstream over TLS with these options of `tls.connect`.
   * @defaultValue no TLS
   */
  readonly tls?: ConnectionOptions;
}

/** See {@link startEmulator}. */
export interface EmulatorOptions {
  /**
   * `mysql` stands for MySQL and MariaDB.
   * @defaultValue `'postgres'`
   */
  readonly engine?: Engine;
  readonly upstream: UpstreamOptions;
  /** The region that tokens must be signed for, such as `eu-west-1`. */
  readonly region: string;
  /** The keys that tokens may be signed with; at least one. There is no way to accept every token. */
  readonly accessKeys: readonly AccessKey[];
  /**
   * The names that tokens may be signed for and the certificate is issued to: DNS names in lower case, or IP addresses.
   * The first one is {@link Emulator.hostname}.
   * @defaultValue `['localhost', '127.0.0.1']`
   */
  readonly hostnames?: readonly string[];
  /**
   * The port to listen on, 0 to 65535; 0 takes a free one.
   * @defaultValue 0
   */
  readonly port?: number;
  /**
   * The port that tokens must be signed for, 1 to 65535, if another port is forwarded to this one.
   * @defaultValue the port it listens on
   */
  readonly tokenPort?: number;
  /**
   * The address to listen on. Anything but loopback lets others on the network try their tokens.
   * @defaultValue `'127.0.0.1'`
   */
  readonly listenHostname?: string;
  /**
   * The database users that have been granted `rds_iam`. All others log in with the upstream's own password authentication, as
   * on RDS. They are only let in if the upstream asks for a password and theirs is not empty.
   * @defaultValue every user
   */
  readonly iamUsers?: readonly string[];
  /**
   * A connection that has not logged in after this many milliseconds is closed, 1 to 600_000.
   * @defaultValue 60_000 like PostgreSQL's `authentication_timeout`, 10_000 like MySQL's `connect_timeout`
   */
  readonly authenticationTimeoutMs?: number;
  /**
   * For MySQL only. Whether a login without TLS is refused right away (error 3159), as with the parameter
   * `require_secure_transport`. If not, such a login gets as far as its token before it is refused (error 1045), as for an
   * account with REQUIRE SSL.
   * @defaultValue true
   */
  readonly requireSecureTransport?: boolean;
  /**
   * The server's clock, in milliseconds since the epoch, for the age of tokens and for throttling.
   * @defaultValue `Date.now`, looked up at each use
   */
  readonly now?: () => number;
  /**
   * The faults to start with; see {@link Emulator.setFaults}.
   * @defaultValue nothing
   */
  readonly faults?: Faults;
  /**
   * The server's log: called with every login when it is settled, in that order. It is called separately, so it can neither delay
   * a login nor make it fail; an exception in it is uncaught.
   * @defaultValue no log
   */
  readonly onLogin?: (login: LoginEvent) => void;
}

export interface CheckedOptions {
  readonly engine: Engine;
  readonly upstream: UpstreamOptions;
  readonly region: string;
  readonly accessKeys: ReadonlyMap<string, AccessKey>;
  readonly hostnames: readonly [string, ...string[]];
  readonly port: number;
  readonly tokenPort: number | undefined;
  readonly listenHostname: string;
  readonly iamUsers: ReadonlySet<string> | undefined;
  readonly authenticationTimeoutMs: number;
  readonly requireSecureTransport: boolean;
  readonly now: () => number;
  readonly faults: Faults;
  readonly onLogin: ((login: LoginEvent) => void) | undefined;
}

/** Checks every option, and copies what it keeps. @throws TypeError that names the option */
export function checkOptions(options: EmulatorOptions): CheckedOptions {
  const given = object('options', options);
  unknownNames('options', given, [
    ...['engine', 'upstream', 'region', 'accessKeys', 'hostnames', 'port', 'tokenPort', 'listenHostname', 'iamUsers'],
    ...['authenticationTimeoutMs', 'requireSecureTransport', 'now', 'faults', 'onLogin'],
  ]);
  const { engine = 'postgres', now = () => Date.now(), faults = {}, requireSecureTransport, onLogin } = options;
  oneOf('engine', engine, ['postgres', 'mysql']);
  if (requireSecureTransport !== undefined && (typeof requireSecureTransport !== 'boolean' || engine !== 'mysql')) {
    fail('requireSecureTransport', 'a boolean, and is for the engine "mysql"', requireSecureTransport);
  }
  if (typeof now !== 'function') fail('now', 'a function that returns milliseconds', now);
  if (onLogin !== undefined && typeof onLogin !== 'function') fail('onLogin', 'a function of a login', onLogin);
  checkFaults(faults);
  if (typeof options.region !== 'string' || !/^[a-z0-9]+(-[a-z0-9]+)+$/.test(options.region)) {
    fail('region', 'an AWS region, such as "eu-west-1"', options.region);
  }
  return {
    engine,
    upstream: checkUpstream(options.upstream, engine),
    region: options.region,
    accessKeys: checkAccessKeys(options.accessKeys),
    hostnames: checkHostnames(options.hostnames ?? ['localhost', '127.0.0.1']),
    port: integer('port', options.port ?? 0, 0, 65_535),
    tokenPort: options.tokenPort === undefined ? undefined : integer('tokenPort', options.tokenPort, 1, 65_535),
    listenHostname: text('listenHostname', options.listenHostname ?? '127.0.0.1'),
    iamUsers: options.iamUsers === undefined ? undefined : new Set(names('iamUsers', options.iamUsers)),
    authenticationTimeoutMs: integer(
      'authenticationTimeoutMs',
      options.authenticationTimeoutMs ?? (engine === 'mysql' ? 10_000 : 60_000),
      1,
      600_000,
    ),
    requireSecureTransport: requireSecureTransport ?? true,
    now,
    faults: structuredClone(faults),
    onLogin,
  };
}

function checkUpstream(upstream: UpstreamOptions, engine: Engine): UpstreamOptions {
  unknownNames('upstream', object('upstream', upstream), ['hostname', 'port', 'username', 'password', 'tls']);
  const { hostname, port, username, password, tls } = upstream;
  if (password !== undefined && typeof password !== 'string' && typeof password !== 'function') {
    fail('upstream.password', 'a string or a function of the user name', password, true);
  }
  if (tls !== undefined) object('upstream.tls', tls);
  if (engine === 'mysql' && String(hostname).startsWith('/')) {
    fail('upstream.hostname', 'a host name; a Unix socket is for the engine "postgres"', hostname);
  }
  return {
    hostname: text('upstream.hostname', hostname),
    port: integer('upstream.port', port, 1, 65_535),
    ...(username === undefined ? {} : { username: text('upstream.username', username) }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function checkAccessKeys(accessKeys: readonly AccessKey[]): ReadonlyMap<string, AccessKey> {
  if (!Array.isArray(accessKeys) || accessKeys.length === 0) {
    fail('accessKeys', 'a list with at least one { accessKeyId, secretAccessKey }', accessKeys, true);
  }
  const checked = new Map<string, AccessKey>();
  accessKeys.forEach((key: AccessKey, index) => {
    const name = `accessKeys[${index}]`;
    // AWS's SDK adds `$source` to the object that one of its clients was given as its credentials.
    const { $source: _, ...given } = object(name, key) as AccessKey & { readonly $source?: unknown };
    unknownNames(name, given, ['accessKeyId', 'secretAccessKey', 'sessionToken', 'usernames']);
    const { accessKeyId, secretAccessKey, sessionToken, usernames } = key;
    if (typeof accessKeyId !== 'string' || !/^[\w-]+$/.test(accessKeyId)) {
      fail(`${name}.accessKeyId`, 'letters and digits', accessKeyId, true);
    }
    if (checked.has(accessKeyId)) fail(`${name}.accessKeyId`, 'different from those before it', accessKeyId, true);
    checked.set(accessKeyId, {
      accessKeyId,
      secretAccessKey: text(`${name}.secretAccessKey`, secretAccessKey, true),
      ...(sessionToken === undefined ? {} : { sessionToken: text(`${name}.sessionToken`, sessionToken, true) }),
      ...(usernames === undefined ? {} : { usernames: names(`${name}.usernames`, usernames) }),
    });
  });
  return checked;
}

function checkHostnames(hostnames: readonly string[]): readonly [string, ...string[]] {
  const [first, ...rest] = names('hostnames', hostnames);
  if (first === undefined) return fail('hostnames', 'a list with at least one name', hostnames);
  for (const name of [first, ...rest]) {
    if (isIP(name) === 0 && !/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(name)) {
      fail('hostnames', 'DNS names in lower case or IP addresses', name);
    }
  }
  return [first, ...rest];
}

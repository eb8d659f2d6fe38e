// Where to log in and as whom: from flags, then a URL argument or DATABASE_URL, then libpq's variables.
import { readFileSync } from 'node:fs';
import { isRegion } from '@rds-iam/core';
import type { DatabaseTarget } from './database/database.js';
import { type DialedAddress, readDial } from './dial.js';
import { UsageError } from './exit-code.js';
import { tell } from './terminal.js';

export type Engine = 'postgres' | 'mysql';

/** The text of the flags, as commander returns them. */
export interface Flags {
  readonly hostname?: string;
  readonly port?: string;
  readonly username?: string;
  readonly database?: string;
  readonly engine?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly ca?: string;
  readonly dial?: string;
  readonly url?: string;
}

export interface Settings {
  readonly engine: Engine | undefined;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly username: string | undefined;
  /** The password in a URL. No IAM login uses it. */
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly region: string | undefined;
  readonly profile: string | undefined;
  /** The path of a file. */
  readonly ca: string | undefined;
  /** Where to connect instead. */
  readonly dial: DialedAddress | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const DEFAULT_PORTS: Readonly<Record<Engine, number>> = { postgres: 5432, mysql: 3306 };

/** AWS's names for the engines, and those of people and URLs. */
const ENGINES: Readonly<Record<string, Engine>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  'aurora-postgresql': 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'aurora-mysql': 'mysql',
};

function engineOf(name: string): Engine {
  const engine = Object.hasOwn(ENGINES, name) ? ENGINES[name] : undefined;
  if (engine === undefined) throw new UsageError(`--engine must be one of ${Object.keys(ENGINES).join(', ')}`);
  return engine;
}

export function portOf(name: string, text: string, lowest = 1): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < lowest || port > 65_535) {
    throw new UsageError(`${name} must be a whole number from ${lowest} to 65535`);
  }
  return port;
}

export function regionOf(name: string, text: string): string {
  if (!isRegion(text)) throw new UsageError(`${name} must be the name of an AWS region, as in eu-west-1`);
  return text;
}

/** A duration in seconds, with fractions allowed. */
export function secondsOf(name: string, text: string, longest: number): number {
  const seconds = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || seconds <= 0 || seconds > longest) {
    throw new UsageError(`${name} must be a number of seconds above 0, up to ${longest}`);
  }
  return seconds;
}

/** The database that a command is about: `--instance` or `--cluster`, or else an endpoint. */
export function databaseTarget(
  { instance, cluster, ...flags }: Flags & { readonly instance?: string; readonly cluster?: string },
  environment: Environment,
): DatabaseTarget {
  const named = [instance, cluster, flags.hostname, flags.url].filter((each) => each !== undefined);
  if (named.length > 1) throw new UsageError('give one of --instance, --cluster, --hostname and a URL');
  if (instance !== undefined) return { kind: 'instance', identifier: instance };
  if (cluster !== undefined) return { kind: 'cluster', identifier: cluster };
  const { hostname } = readSettings(flags, environment);
  if (hostname !== undefined) return { hostname };
  throw new UsageError('the database is missing: give --instance, --cluster, or its endpoint as --hostname or a URL');
}

/**
 * Reads the flags, the URL and the environment, in that order.
 *
 * @param engineOfCommand - the engine if neither a flag nor a URL on the command line names one
 */
export function readSettings(flags: Flags, environment: Environment, engineOfCommand?: Engine): Settings {
  const asked =
    flags.engine === undefined ? (flags.url === undefined ? engineOfCommand : undefined) : engineOf(flags.engine);
  const url = flags.url === undefined ? urlOfEnvironment(environment, asked) : parseUrl(flags.url, 'the URL');
  if (url && asked !== undefined && url.engine !== asked) {
    throw new UsageError(`--engine is ${flags.engine}, but the URL is of another engine: remove one of them`);
  }
  const variable = (name: string) => environment[name] || undefined;
  const engine = asked ?? url?.engine ?? (variable('PGHOST') ? 'postgres' : undefined);
  const libpq = engine === 'mysql' ? () => undefined : variable;
  const pgPort = libpq('PGPORT');
  return {
    engine,
    hostname: flags.hostname ?? url?.hostname ?? libpq('PGHOST'),
    port:
      flags.port === undefined
        ? (url?.port ?? (pgPort === undefined ? undefined : portOf('PGPORT', pgPort)))
        : portOf('--port', flags.port),
    username: flags.username ?? url?.username ?? libpq('PGUSER'),
    password: url?.password,
    database: flags.database ?? url?.database ?? libpq('PGDATABASE'),
    region: flags.region === undefined ? undefined : regionOf('--region', flags.region),
    profile: flags.profile,
    ca: flags.ca,
    dial: flags.dial === undefined ? undefined : readDial(flags.dial),
  };
}

interface NamedByUrl {
  readonly engine: Engine;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
}

/** DATABASE_URL, unless it is for another engine than requested: an environment serves many programs. */
function urlOfEnvironment(environment: Environment, asked: Engine | undefined): NamedByUrl | undefined {
  const text = environment['DATABASE_URL'];
  if (!text) return undefined;
  const engine = ENGINES[/^([\w-]+):/.exec(text)?.[1] ?? ''];
  if (engine === undefined || (asked !== undefined && engine !== asked)) return undefined;
  return parseUrl(text, 'DATABASE_URL');
}

function parseUrl(text: string, name: string): NamedByUrl {
  // The message leaves out the URL, which may contain a password.
  const wrong = new UsageError(
    `${name} does not name a PostgreSQL, MySQL or MariaDB database, as postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop does`,
  );
  try {
    const url = new URL(text);
    const engine = ENGINES[url.protocol.slice(0, -1)];
    if (engine === undefined) throw wrong;
    const decoded = (part: string) => (part === '' ? undefined : decodeURIComponent(part));
    return {
      engine,
      hostname: decoded(url.hostname.replace(/^\[(.*)\]$/, '$1')),
      port: url.port === '' ? undefined : Number(url.port),
      username: decoded(url.username),
      password: decoded(url.password),
      database: decoded(url.pathname.slice(1)),
    };
  } catch {
    throw wrong;
  }
}

/** The endpoint and user that a token is for. */
export interface LoginTarget {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
}

export function loginTarget({ engine, hostname, port, username, password }: Settings): LoginTarget {
  if (hostname === undefined) {
    throw new UsageError('there is no host name: give --hostname, a URL, or set DATABASE_URL or PGHOST');
  }
  if (username === undefined) {
    throw new UsageError('there is no database user: give --username, name it in the URL, or set PGUSER');
  }
  if (port === undefined && engine === undefined) {
    throw new UsageError('there is no port: give --port, or --engine for the default port of that engine');
  }
  if (password !== undefined) tell('the password in the URL is not used: a token takes its place');
  return { hostname, port: port ?? DEFAULT_PORTS[engine ?? 'postgres'], username };
}

/** The text of the file that `--ca` names. */
export function readCa(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--ca cannot be read: ${(error as Error).message}`);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError(`--ca contains no certificate in PEM: ${path}`);
  return text;
}

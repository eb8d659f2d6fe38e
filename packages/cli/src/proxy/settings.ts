// A proxy's settings: from flags, then RDS_IAM_PROXY_… variables, then a file.
import { readFileSync } from 'node:fs';
import { isLoopback, type ProxyOptions, type ProxyTarget } from '@rds-iam/proxy';
import { readDial } from '../dial.js';
import { UsageError } from '../exit-code.js';
import { loginTarget, portOf, readCa, readSettings, regionOf, type Settings, secondsOf } from '../settings.js';
import { SETTINGS, type SettingName } from './flags.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** How long a refused first login is retried. */
const PATIENCE_MS = 3_000;

/** The contents of the file. */
interface SettingsFile {
  readonly urls: readonly string[] | undefined;
  readonly values: ReadonlyMap<string, unknown>;
}

export interface ProxySettings {
  readonly options: Omit<ProxyOptions, 'onEvent'>;
  readonly maxSigtermDelayMs: number;
  /** Whether the password was given by the user; it is then not printed. */
  readonly hasOwnPassword: boolean;
}

const LONGEST_DELAY_SECONDS = 86_400;

/** @param flags - as commander returns them, by name in camel case */
export function readProxySettings(
  urls: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): ProxySettings {
  const configPath = (flags['config'] as string | undefined) ?? environment['RDS_IAM_PROXY_CONFIG'];
  const file = configPath === undefined ? undefined : readFile(configPath);
  const given = (name: SettingName): unknown =>
    flagOf(flags, name) ?? (environment[variableOf(name)] || undefined) ?? file?.values.get(name);
  const text = (name: SettingName): string | undefined => {
    const value = given(name);
    if (value === undefined || typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    throw new UsageError(`--${name} must be a string, also in the file of --config`);
  };
  const isOn = (name: SettingName): boolean => {
    const value = given(name) ?? false;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw new UsageError(`${variableOf(name)} must be true or false`);
  };
  const number = (name: SettingName, read: (name: string, text: string) => number): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : read(`--${name}`, value);
  };
  const read = (name: SettingName): string | undefined => {
    const path = text(name);
    return path === undefined ? undefined : readText(`--${name}`, path);
  };

  const password = ownPassword(isOn('no-password'), read('password-file'), environment['RDS_IAM_PROXY_PASSWORD']);
  const tls = [read('tls-cert'), read('tls-key')] as const;
  if ((tls[0] === undefined) !== (tls[1] === undefined)) throw new UsageError('--tls-cert and --tls-key go together');
  checkAccess({
    atPort: text('socket') === undefined,
    address: text('address'),
    hasTls: tls[0] !== undefined,
    hasNoPassword: password === false,
    trustsLocalUsers: isOn('trust-local-users'),
  });
  const passwordMethod = text('password-method');
  if (passwordMethod !== undefined && !isPasswordMethod(passwordMethod)) {
    throw new UsageError('--password-method must be scram-sha-256 or password');
  }
  const [region, profile, ca, dial] = [text('region'), text('profile'), text('ca'), text('dial')];
  const options = {
    targets: targetsOf(urls, environment, file),
    iam: {
      // Clients are people at a prompt, or programs that retry by themselves: report a wrong setup soon.
      retry: { patienceMs: PATIENCE_MS },
      ...(region !== undefined && { region: regionOf('--region', region) }),
      ...(dial !== undefined && { dial: readDial(dial) }),
      ...(profile !== undefined && { profile }),
      ...(ca !== undefined && { ca: readCa(ca) }),
    },
    ...present({
      port: number('port', (name, value) => portOf(name, value, 0)),
      socketFolder: text('socket'),
      address: text('address'),
      password,
      passwordMethod,
      trustLocalUsers: isOn('trust-local-users') || undefined,
      anyUser: isOn('any-user') || undefined,
      maxConnections: number('max-connections', (name, value) => {
        if (!/^[1-9]\d{0,6}$/.test(value)) throw new UsageError(`${name} must be a whole number from 1 to 1000000`);
        return Number(value);
      }),
      http: httpOf(
        number('http-port', (name, value) => portOf(name, value, 0)),
        text('http-address'),
      ),
      tls: tls[0] !== undefined && tls[1] !== undefined ? { cert: tls[0], key: tls[1] } : undefined,
    }),
  };
  const delay = text('max-sigterm-delay') ?? '30';
  const delaySeconds = delay === '0' ? 0 : secondsOf('--max-sigterm-delay', delay, LONGEST_DELAY_SECONDS);
  return { options, maxSigtermDelayMs: delaySeconds * 1_000, hasOwnPassword: typeof password === 'string' };
}

function targetsOf(given: readonly string[], environment: Environment, file: SettingsFile | undefined): ProxyTarget[] {
  const ofEnvironment = (environment['RDS_IAM_PROXY_URLS'] ?? '').split(/\s+/).filter(Boolean);
  const [urls] = [given, ofEnvironment, file?.urls ?? []].filter((each) => each.length > 0);
  if (urls === undefined) return [targetOf(readSettings({}, environment))];
  return urls.map((url) => targetOf(readSettings({ url }, {})));
}

function targetOf(settings: Settings): ProxyTarget {
  const { engine, database } = settings;
  const login = loginTarget(settings);
  if (engine === undefined) throw new UsageError('the engine is not known: give a URL, as postgresql://… or mysql://…');
  return { engine, ...login, ...(database !== undefined && { database }) };
}

const isPasswordMethod = (name: string): name is NonNullable<ProxyOptions['passwordMethod']> =>
  name === 'scram-sha-256' || name === 'password';

interface Access {
  readonly atPort: boolean;
  readonly address: string | undefined;
  readonly hasTls: boolean;
  readonly hasNoPassword: boolean;
  readonly trustsLocalUsers: boolean;
}

/** The proxy refuses the same, but with the names of its options. */
function checkAccess({ atPort, address, hasTls, hasNoPassword, trustsLocalUsers }: Access): void {
  if (!atPort) return;
  if (hasNoPassword && !trustsLocalUsers) {
    throw new UsageError(
      '--no-password lets everybody on this machine log in to the database: give --socket, whose sockets only you can reach, or add --trust-local-users',
    );
  }
  if (address !== undefined && !isLoopback(address) && (!hasTls || hasNoPassword)) {
    const missing = hasTls ? 'a password' : '--tls-cert and --tls-key, and a password';
    throw new UsageError(`--address is ${address}, which others on the network can reach: that takes ${missing}`);
  }
}

function httpOf(port: number | undefined, address: string | undefined): ProxyOptions['http'] {
  if (port === undefined && address !== undefined)
    throw new UsageError('--http-address needs --http-port: give that, too');
  return port === undefined ? undefined : { port, ...(address !== undefined && { address }) };
}

function ownPassword(
  none: boolean,
  file: string | undefined,
  variable: string | undefined,
): string | false | undefined {
  const own = file?.replace(/\r?\n$/, '') ?? (variable || undefined);
  if (none && own !== undefined) throw new UsageError('there is a password as well as --no-password: give one of them');
  return none ? false : own;
}

/** To commander, `--no-password` negates a flag `password`. */
function flagOf(flags: Readonly<Record<string, unknown>>, name: SettingName): unknown {
  if (name === 'no-password') return flags['password'] === false ? true : undefined;
  return flags[name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
}

const variableOf = (name: string) => `RDS_IAM_PROXY_${name.replaceAll('-', '_').toUpperCase()}`;

function readFile(path: string): SettingsFile {
  let content: unknown;
  try {
    content = JSON.parse(readText('--config', path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--config is not JSON: ${path}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`--config must hold an object, as { "urls": ["postgresql://…"], "port": 6432 }: ${path}`);
  }
  const { urls, ...values } = content as Record<string, unknown>;
  const isList = Array.isArray(urls) && urls.every((url) => typeof url === 'string');
  if (urls !== undefined && !isList) throw new UsageError(`"urls" in ${path} must be a list of URLs`);
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown !== undefined) {
    throw new UsageError(`${path} has "${unknown}": the known names are urls, ${Object.keys(SETTINGS).join(', ')}`);
  }
  return { urls: isList ? urls : undefined, values: new Map(Object.entries(values)) };
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag} cannot be read: ${(error as Error).message}`);
  }
}

type Present<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> };

function present<Values extends object>(values: Values): Present<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<Values>;
}

// The environment in which `exec` runs a command, and the files that its variables name.
import { lookup } from 'node:dns/promises';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseRdsHostname, rdsRoots } from '@rds-iam/core';
import type { DialedAddress } from './dial.js';
import { UsageError } from './exit-code.js';
import { loginUrl } from './login-url.js';
import { rootFor } from './root-certificate.js';
import { DEFAULT_PORTS, type Engine, readCa, type Settings } from './settings.js';
import type { SignedLogin } from './sign.js';
import type { UrlReader } from './tool.js';

export interface LoginEnvironment extends Disposable {
  /** Variables by name; undefined removes one. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** What the environment depends on. */
export interface EnvironmentRequest {
  /** The program that will read it. */
  readonly program: string;
  /** The variable that gets the URL. */
  readonly urlVariable: string;
  readonly urlReader: UrlReader;
  /** The path of a file with the CA certificates that the environment already has for Node.js. */
  readonly nodeExtraCa: string | undefined;
}

/** The files contain no secrets, and are removed when this is disposed of. */
export async function loginEnvironment(
  signed: SignedLogin,
  settings: Settings,
  { program, urlVariable, urlReader, nodeExtraCa }: EnvironmentRequest,
): Promise<LoginEnvironment> {
  const engine = settings.engine ?? engineOfPort(signed.port);
  if (urlReader === 'prisma-engine' && engine === 'mysql') {
    throw new UsageError(
      "prisma migrate and prisma db are for PostgreSQL here: Prisma's own engine cannot send a token to MySQL, see the README of @rds-iam/prisma",
    );
  }
  if (settings.dial !== undefined && (engine === 'mysql' || urlReader !== 'drivers')) {
    throw new UsageError(
      '--dial alone is for programs that use libpq, such as psql: also give --proxy, which gives the command a local port',
    );
  }
  const certificates =
    settings.ca === undefined
      ? await rdsRoots({
          hostname: signed.hostname,
          region: settings.region ?? parseRdsHostname(signed.hostname)?.region,
        })
      : [readCa(settings.ca)];
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-'));
  try {
    const ca = write(folder, 'ca.pem', certificates.join('\n'));
    const root =
      urlReader === 'prisma-engine' ? write(folder, 'root.pem', rootFor(signed.hostname, certificates)) : undefined;
    const { dial } = settings;
    return {
      variables: {
        ...(engine === 'postgres'
          ? { ...postgresVariables(signed, settings.database, ca), ...(dial && (await dialVariables(dial))) }
          : mysqlVariables(signed, folder, ca, program)),
        RDS_IAM_CA_FILE: ca,
        NODE_EXTRA_CA_CERTS: withNodeExtraCa(folder, ca, certificates, nodeExtraCa),
        ...(urlReader === 'dbmate' && dbmateVariables(ca)),
        [urlVariable]: loginUrl(
          { ...signed, ...(dial && { port: dial.port }) },
          { engine, reader: urlReader, database: settings.database, root },
        ),
      },
      [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

export function engineOfPort(port: number): Engine {
  if (port === DEFAULT_PORTS.postgres) return 'postgres';
  if (port === DEFAULT_PORTS.mysql) return 'mysql';
  throw new UsageError(`port ${port} does not say which engine it is: give --engine, or a URL`);
}

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function postgresVariables({ hostname, port, username, token }: SignedLogin, database: string | undefined, ca: string) {
  return {
    PGHOST: hostname,
    PGPORT: String(port),
    PGUSER: username,
    PGPASSWORD: token,
    ...(database !== undefined && { PGDATABASE: database }),
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: ca,
    // Kerberos encryption would take precedence over TLS, and verifies no certificate.
    PGGSSENCMODE: 'disable',
    // Both would override PGHOST.
    PGHOSTADDR: undefined,
    PGSERVICE: undefined,
  };
}

/** libpq still verifies the certificate against PGHOST, but connects to PGHOSTADDR. */
async function dialVariables({ hostname, port }: DialedAddress) {
  const { address } = await lookup(hostname);
  return { PGHOSTADDR: address, PGPORT: String(port) };
}

/** The clients of MySQL and MariaDB read an address and a password from variables, but TLS settings only from a file. */
function mysqlVariables({ hostname, port, username, token }: SignedLogin, folder: string, ca: string, program: string) {
  // A quoted value ends at the first quote without a backslash before it; after that, # would begin a comment.
  const quoted = (value: string) =>
    `"${value
      .replace(/["'\\]/g, '\\$&')
      .replaceAll('\n', '\\n')
      .replaceAll('\r', '\\r')}"`;
  const lines = [
    ...['[client]', `host=${quoted(hostname)}`, `port=${port}`, `user=${quoted(username)}`, 'protocol=tcp'],
    `ssl-ca=${quoted(ca)}`,
    // MySQL's option for the host name check. MariaDB's clients warn about it, and no group is read only by MySQL's clients.
    ...(basename(program).startsWith('mariadb') ? [] : ['loose-ssl-mode=VERIFY_IDENTITY']),
    ...['[client-mariadb]', 'ssl-verify-server-cert'],
  ];
  write(folder, 'my.cnf', `${lines.join('\n')}\n`);
  return {
    MYSQL_HOST: hostname,
    MYSQL_TCP_PORT: String(port),
    MYSQL_PWD: token,
    MYSQL_HOME: folder,
    LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN: '1',
  };
}

/** dbmate uses Go's drivers: PostgreSQL's refuses variables that it does not know, and MySQL's reads a CA only from here. */
function dbmateVariables(ca: string) {
  return { PGGSSENCMODE: undefined, SSL_CERT_FILE: ca };
}

/** For Node.js, whose drivers read a TLS mode from the environment, but no CA. Keeps the certificates that it had. */
function withNodeExtraCa(
  folder: string,
  ca: string,
  certificates: readonly string[],
  nodeExtraCa: string | undefined,
): string {
  if (!nodeExtraCa) return ca;
  try {
    return write(folder, 'node-ca.pem', [...certificates, readFileSync(nodeExtraCa, 'utf8')].join('\n'));
  } catch {
    // Node.js ignores a file that it cannot read.
    return ca;
  }
}

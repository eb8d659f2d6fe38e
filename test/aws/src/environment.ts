import { readFileSync } from 'node:fs';
import type { Engine } from '@rds-iam/conformance';

/** A database that the environment names. */
export interface NamedDatabase {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  /** Certificates in place of the RDS roots. */
  readonly ca?: string;
}

export const VARIABLES: Readonly<Record<Engine, string>> = {
  postgres: 'RDS_IAM_TEST_POSTGRES_URL',
  mysql: 'RDS_IAM_TEST_MYSQL_URL',
};
const CA_VARIABLE = 'RDS_IAM_TEST_CA';
export const LIFETIME_VARIABLE = 'RDS_IAM_TEST_LIFETIME';
const DEFAULT_PORTS: Readonly<Record<Engine, number>> = { postgres: 5432, mysql: 3306 };

/** The database that the environment names for an engine, if any. */
export function namedDatabase(engine: Engine, environment = process.env): NamedDatabase | undefined {
  const variable = VARIABLES[engine];
  const text = environment[variable];
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const [hostname, username, database] = [url?.hostname, url?.username, url?.pathname.slice(1)];
  if (!url || !hostname || !username || !database || url.password) {
    throw new Error(
      `${variable} has to be a URL of a host, a user and a database, without a password: ${engine}://user@host/database`,
    );
  }
  const file = environment[CA_VARIABLE];
  return {
    hostname,
    port: Number(url.port || DEFAULT_PORTS[engine]),
    username: decodeURIComponent(username),
    database: decodeURIComponent(database),
    ...(file && { ca: readFileSync(file, 'utf8') }),
  };
}

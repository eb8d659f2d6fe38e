import { Signer } from '@aws-sdk/rds-signer';
import type { Engine } from '@rds-iam/conformance';
import { parseRdsHostname, rdsRoots } from '@rds-iam/core';
import mysql from 'mysql2/promise';
import pg from 'pg';
import type { NamedDatabase } from './environment.js';

type Row = Readonly<Record<string, unknown>>;

/** A session of the plain driver, logged in as AWS documents it, to compare our packages with. */
export interface Reference {
  query(sql: string): Promise<readonly Row[]>;
  end(): Promise<void>;
}

export interface ReferenceOptions {
  /** A password in place of a token. */
  readonly password?: string;
  readonly withoutTls?: boolean;
}

export async function logInPlainly(
  engine: Engine,
  named: NamedDatabase,
  { password, withoutTls = false }: ReferenceOptions = {},
): Promise<Reference> {
  const { hostname, port, username, database } = named;
  const region = parseRdsHostname(hostname)?.region;
  const signer = new Signer({ hostname, port, username, ...(region && { region }) });
  const given = password ?? (await signer.getAuthToken());
  const tls = withoutTls ? undefined : { ca: named.ca ?? (await rdsRoots()) };
  if (engine === 'postgres') {
    const client = new pg.Client({
      host: hostname,
      port,
      user: username,
      database,
      password: given,
      ssl: tls ?? false,
    });
    client.on('error', () => {});
    await client.connect();
    return { query: async (sql) => (await client.query(sql)).rows, end: () => client.end() };
  }
  const connection = await mysql.createConnection({
    ...{ host: hostname, port, user: username, database },
    ...(tls && { ssl: tls }),
    authPlugins: { mysql_clear_password: () => () => Buffer.from(`${given}\0`) },
  });
  return {
    query: async (sql) => (await connection.query<mysql.RowDataPacket[]>(sql))[0],
    end: () => connection.end(),
  };
}

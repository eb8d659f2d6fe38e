// A real login with the driver packages, as in an application.
import { createRdsIam, type RdsIam } from '@rds-iam/core';
import type { Facts } from './facts.js';
import { askServer, type ServerSeen } from './server.js';
import { judgeTls } from './tls.js';

export type LoginSeen = { readonly server: ServerSeen; readonly tookMs: number } | { readonly error: unknown };

/** Logs in once and asks the server about itself, unless the server was not verified. Never rejects. */
export async function tryLogin(facts: Facts): Promise<LoginSeen | undefined> {
  const { credentials, region, dial, ca, caFile, engine } = facts;
  if (!('identity' in credentials) || region === undefined || judgeTls(facts).outcome !== 'passed') return undefined;
  const startedAt = performance.now();
  try {
    const iam = createRdsIam({
      region,
      credentials: async () => credentials.identity,
      retry: false,
      ...(dial !== undefined && { dial }),
      ...(caFile !== undefined && { ca: [...ca] }),
    });
    return await (engine === 'postgres' ? onPostgres : onMysql)(iam, facts, () => performance.now() - startedAt);
  } catch (error) {
    return { error };
  }
}

async function onPostgres(iam: RdsIam, facts: Facts, tookMs: () => number): Promise<LoginSeen> {
  const { hostname, port, username, database, longerMs } = facts;
  const { Client } = await import('@rds-iam/pg');
  const client = new Client({
    iam,
    host: hostname,
    port,
    user: username,
    // Every PostgreSQL on RDS has this database.
    database: database ?? 'postgres',
    connectionTimeoutMillis: longerMs,
    query_timeout: longerMs,
    application_name: 'rds-iam doctor',
  });
  client.on('error', () => {});
  await client.connect();
  const took = tookMs();
  try {
    return { server: await askServer('postgres', async (sql) => (await client.query(sql)).rows), tookMs: took };
  } finally {
    await client.end();
  }
}

async function onMysql(iam: RdsIam, facts: Facts, tookMs: () => number): Promise<LoginSeen> {
  const { hostname, port, username, database, longerMs } = facts;
  const { createConnection } = await import('@rds-iam/mysql2/promise');
  const connection = await createConnection({
    iam,
    host: hostname,
    port,
    user: username,
    connectTimeout: longerMs,
    ...(database !== undefined && { database }),
  });
  const took = tookMs();
  const query = async (sql: string) => {
    const [rows] = await connection.query({ sql, timeout: longerMs });
    return rows as Record<string, unknown>[];
  };
  try {
    return { server: await askServer('mysql', query), tookMs: took };
  } finally {
    await connection.end();
  }
}

// A real login, as an application's, with the packages of the drivers.
import type { RdsIam } from '@rds-iam/core';
import type { Engine } from '../settings.js';
import { askServer, type ServerSeen } from './server.js';

export interface LoginRequest {
  readonly iam: RdsIam;
  readonly engine: Engine;
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string | undefined;
  readonly timeoutMs: number;
}

export type LoginSeen = { readonly server: ServerSeen; readonly tookMs: number } | { readonly error: unknown };

/** Logs in once, and asks the server about itself. Never rejects. */
export async function tryLogin(request: LoginRequest): Promise<LoginSeen> {
  const startedAt = performance.now();
  const tookMs = () => performance.now() - startedAt;
  try {
    return request.engine === 'postgres' ? await onPostgres(request, tookMs) : await onMysql(request, tookMs);
  } catch (error) {
    return { error };
  }
}

async function onPostgres({ iam, hostname, port, username, database, timeoutMs }: LoginRequest, tookMs: () => number) {
  const { Client } = await import('@rds-iam/pg');
  const client = new Client({
    iam,
    host: hostname,
    port,
    user: username,
    // Every PostgreSQL of RDS has this one.
    database: database ?? 'postgres',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
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

async function onMysql({ iam, hostname, port, username, database, timeoutMs }: LoginRequest, tookMs: () => number) {
  const { createConnection } = await import('@rds-iam/mysql2/promise');
  const connection = await createConnection({
    iam,
    host: hostname,
    port,
    user: username,
    connectTimeout: timeoutMs,
    ...(database !== undefined && { database }),
  });
  const took = tookMs();
  const query = async (sql: string) => {
    const [rows] = await connection.query({ sql, timeout: timeoutMs });
    return rows as Record<string, unknown>[];
  };
  try {
    return { server: await askServer('mysql', query), tookMs: took };
  } finally {
    await connection.end();
  }
}

// A real login, as an application's, with the packages of the drivers.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RdsIam } from '@rds-iam/core';
import { type Classification, classify } from '@rds-iam/core/doctor';
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

export type LoginSeen =
  | { readonly server: ServerSeen; readonly tookMs: number }
  | { readonly error: unknown; readonly failure: LoginFailure };

export type LoginFailure = Classification;

/** Logs in once, and asks the server about itself. Never rejects. */
export async function tryLogin(request: LoginRequest): Promise<LoginSeen> {
  const startedAt = performance.now();
  // The final error is for people; what the attempt itself ended with tells more to a program.
  let attempt: unknown;
  const listen = (event: unknown) => {
    attempt = (event as { readonly error: unknown }).error;
  };
  subscribe('rds-iam:connection:attempt-failed', listen);
  try {
    const tookMs = () => performance.now() - startedAt;
    return request.engine === 'postgres' ? await onPostgres(request, tookMs) : await onMysql(request, tookMs);
  } catch (error) {
    return { error, failure: classify(attempt ?? error) };
  } finally {
    unsubscribe('rds-iam:connection:attempt-failed', listen);
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

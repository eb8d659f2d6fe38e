import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, type Stack, startStack } from '@rds-iam/conformance';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { KEYS } from './command-line.js';

/** A database behind the emulator for all tests of a file, and what `exec` needs to log in there. */
export interface ExecStack {
  stack(): Stack;
  /** The file with the emulator's CA. */
  readonly ca: string;
  /** A temporary folder. */
  readonly scratch: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  url(): string;
  /** Runs a query without the emulator, as the user unless another is named. @returns its rows */
  query(sql: string, as?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export function execStack(engine: Engine): ExecStack {
  let stack: Stack;
  const scratch = mkdtempSync(join(tmpdir(), 'rds-iam-exec-stack-'));
  const ca = join(scratch, 'ca.pem');
  beforeAll(async () => {
    stack = await startStack(engine);
    writeFileSync(ca, stack.emulator.ca);
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });
  return {
    stack: () => stack,
    ca,
    scratch,
    variables: { ...KEYS, AWS_REGION: 'eu-west-1', NODE_NO_WARNINGS: '1' },
    url: () => `${engine}://${stack.username}@localhost:${stack.emulator.port}/${stack.database}`,
    query: (sql, as = stack.username) => QUERY[engine]({ ...stack, username: as }, sql),
  };
}

const QUERY: Readonly<Record<Engine, (stack: Stack, sql: string) => ReturnType<ExecStack['query']>>> = {
  async postgres({ upstream, username, database }, sql) {
    const client = new pg.Client({ host: upstream.hostname, port: upstream.port, user: username, database });
    await client.connect();
    const { rows } = await client.query(sql);
    await client.end();
    return rows;
  },
  async mysql({ upstream, username, database }, sql) {
    const login = { host: upstream.hostname, port: upstream.port, user: username, database };
    const connection = await mysql.createConnection(login);
    const [rows] = await connection.query(sql);
    await connection.end();
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  },
};

import { createServer, type Server } from 'node:net';
import type * as mysql2 from 'mysql2';
import * as plain from 'mysql2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as ours from '../src/index.js';
import * as connector from '../src/mariadb.js';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
/** Takes connections, and says nothing. */
let silent: Server;
beforeAll(async () => {
  stack = await startStack();
  silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
});
afterAll(async () => {
  silent.close();
  await stack[Symbol.asyncDispose]();
});

const makers: Readonly<Record<string, (extra?: object) => mysql2.Connection>> = {
  mysql2: (extra = {}) => {
    const { hostname, port } = stack.upstream;
    return plain.createConnection({ host: hostname, port, user: stack.username, database: stack.database, ...extra });
  },
  '@rds-iam/mysql2': (extra = {}) => ours.createConnection({ ...stack.config, ...extra }),
};

describe.each(Object.entries(makers))('a connection of %s', (_, make) => {
  test('answers every queued command where it is destroyed before its login', async () => {
    const connection = make();
    const failures: unknown[] = [];
    connection.on('error', () => {});
    const answered = Promise.all(
      [1, 2].map(
        (n) =>
          new Promise<void>((resolve) => {
            connection.query(`select ${n}`, (error) => {
              failures.push(error);
              resolve();
            });
          }),
      ),
    );
    connection.destroy();
    await answered;
    expect(failures).toEqual([expect.any(Error), expect.any(Error)]);
  });

  test('ends after what was queued is done, and tells both callbacks', async () => {
    const connection = make();
    const done: string[] = [];
    connection.query('select 1', (error) => done.push(`query ${error}`));
    await new Promise<void>((resolve) => {
      connection.end((error) => {
        done.push(`end ${error ?? null}`);
        resolve();
      });
    });
    await expect.poll(() => done.length).toBe(2);
    expect(done.sort()).toEqual(['end null', 'query null']);
  });

  test('hears of a time-out that was set before the login', async () => {
    const connection = make();
    const { stream } = connection as unknown as { readonly stream: import('node:net').Socket };
    const timedOut = new Promise<void>((resolve) => stream.setTimeout(30, resolve));
    await new Promise<void>((resolve) => connection.once('connect', () => resolve()));
    await timedOut;
    connection.destroy();
  });

  test('refuses commands once it is destroyed', async () => {
    const connection = make();
    await new Promise<void>((resolve) => connection.once('connect', () => resolve()));
    connection.destroy();
    const error = await new Promise((resolve) => connection.query('select 1', resolve));
    expect((error as Error).message).toMatch(/closed state/);
  });
});

test('changeUser of the mariadb connector says that it is not possible', async () => {
  const connection = await connector.createConnection(stack.config);
  await expect(connection.changeUser({ user: 'other' })).rejects.toThrow(/"changeUser".*createConnection/);
  await connection.end();
  const pool = connector.createPool({ ...stack.config, connectionLimit: 1 });
  const pooled = await pool.getConnection();
  await expect(pooled.changeUser({ user: 'other' })).rejects.toThrow(/"changeUser"/);
  await pooled.release();
  await pool.end();
});

import { expect, test } from 'vitest';
import { startPostgres } from '../src/index.js';
import { expectNothingLeft } from './killed.js';

test('a separate PostgreSQL starts, answers and ends', async () => {
  const server = await startPostgres();
  const client = await server.connectAsSuperuser();
  const { rows } = await client.query<{ version: string }>('select version()');
  expect(rows[0]?.version).toMatch(/^PostgreSQL 1\d/);
  await client.end();
  await server.close();
  await expect(server.connectAsSuperuser()).rejects.toThrow();
});

test('it starts again on the same port with the same data', async () => {
  await using server = await startPostgres();
  const before = await server.connectAsSuperuser();
  const broken: Error[] = [];
  before.on('error', (error) => broken.push(error));
  await before.query('create table kept ()');
  await server.restart();
  expect(broken[0]).toMatchObject({ code: '57P01' });
  const after = await server.connectAsSuperuser();
  expect((await after.query("select to_regclass('kept') as kept")).rows).toEqual([{ kept: 'kept' }]);
  await after.end();
});

test('nothing outlives a process that was killed', () => expectNothingLeft('startPostgres', 'SIGKILL', 'started'));
test('nor one that was killed while the server started', () =>
  expectNothingLeft('startPostgres', 'SIGKILL', 'starting'));
test('nor one that was terminated', () => expectNothingLeft('startPostgres', 'SIGTERM', 'started'));

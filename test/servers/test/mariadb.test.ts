import mysql from 'mysql2/promise';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { startMariadb } from '../src/index.js';
import { expectNothingLeft } from './killed.js';

test('a separate MariaDB or MySQL starts, answers and ends', async () => {
  const server = await startMariadb({ settings: { wait_timeout: '77' } });
  const local = await server.connectAsSuperuser();
  const [[row]] = await local.query<mysql.RowDataPacket[]>(
    'select version() as version, @@global.wait_timeout as timeout',
  );
  expect(row?.['version']).toMatch(/^\d+\.\d+\.\d+/);
  expect(row?.['version'].startsWith(server.version)).toBe(true);
  expect(/mariadb/i.test(row?.['version'])).toBe(server.flavour === 'mariadb');
  expect(row?.['timeout']).toBe(77);
  await local.end();
  const remote = await mysql.createConnection({ host: server.hostname, port: server.port, user: 'root' });
  await remote.query("create user app@'%'");
  const [status] = await remote.query<mysql.RowDataPacket[]>("show status like 'Ssl_cipher'");
  expect(status[0]?.['Value']).toBe('');
  await remote.end();
  await server.close();
  await server.close();
  await expect(server.connectAsSuperuser()).rejects.toThrow();
});

test('starts again on the same port with the same data', async () => {
  await using server = await startMariadb({ settings: { innodb_flush_log_at_trx_commit: '2' } });
  const before = await server.connectAsSuperuser();
  before.on('error', () => {});
  await before.query('create database kept');
  const ended = new Promise((resolve) => before.once('end', resolve));
  await server.restart();
  await ended;
  const after = await mysql.createConnection({ host: server.hostname, port: server.port, user: 'root' });
  const [rows] = await after.query<mysql.RowDataPacket[]>("show databases like 'kept'");
  expect(rows).toHaveLength(1);
  await after.end();
});

test('serves TLS with the given certificate', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  await using server = await startMariadb({ tls: { cert, key } });
  const client = await mysql.createConnection({
    host: 'localhost',
    port: server.port,
    user: 'root',
    ssl: { ca: cert, verifyIdentity: true },
  });
  const [rows] = await client.query<mysql.RowDataPacket[]>("show status like 'Ssl_cipher'");
  expect(rows[0]?.['Value']).not.toBe('');
  await client.end();
});

test("a setting that the server refuses is reported with the server's message", async () => {
  await expect(startMariadb({ settings: { no_such_setting: '1' } })).rejects.toThrow(
    /did not start:.*no_such_setting/s,
  );
});

test('nothing outlives a process that was killed', () => expectNothingLeft('startMariadb', 'SIGKILL', 'started'));
test('nor one that was killed while the server started', () =>
  expectNothingLeft('startMariadb', 'SIGKILL', 'starting'));
test('nor one that was interrupted', () => expectNothingLeft('startMariadb', 'SIGINT', 'started'));

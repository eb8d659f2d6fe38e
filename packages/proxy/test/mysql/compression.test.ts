import { Readable } from 'node:stream';
import { type CompressingRelay, type Stack, startCompressingRelay, startStack } from '@rds-iam/conformance';
import mariadb from 'mariadb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProxyOptions } from '../../src/index.js';
import { run, until } from '../harness.js';
import { lacks } from '../programs.js';
import { logIn, rows, type Site, startSite } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('mysql');
});
afterAll(() => stack[Symbol.asyncDispose]());

const LONG = 'a text that compresses well, '.repeat(10_000);
const COMPRESSION = "show session status like 'Compression'";

/** The proxy before a server that compresses. */
const siteAt = ({ port, ca }: CompressingRelay, options: Partial<ProxyOptions> = {}) =>
  startSite({ ...stack, config: { ...stack.config, port, iam: { ...stack.iam, ca } } }, options);

/** Queries with and without compression. @returns how much the server sent for each */
async function bytesSent(relay: CompressingRelay, ask: (site: Site, compress: boolean) => Promise<void>) {
  const site = await siteAt(relay);
  const bytes: number[] = [];
  for (const compress of [false, true]) {
    const before = relay.sent;
    await ask(site, compress);
    bytes.push(relay.sent - before);
  }
  return bytes as [plain: number, compressed: number];
}

test('mysql2: the session is compressed, in both directions and in many packets', async () => {
  await using relay = await startCompressingRelay(stack);
  const [plain, compressed] = await bytesSent(relay, async (site, compress) => {
    const connection = await logIn({ ...site.config, compress });
    expect(await rows(connection, COMPRESSION)).toMatchObject([{ Value: compress ? 'ON' : 'OFF' }]);
    expect(await rows(connection, 'select ? as text', [LONG])).toEqual([{ text: LONG }]);
    expect(await rows(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    await connection.end();
  });
  expect(compressed).toBeLessThan(plain / 10);
});

test('the mariadb connector', async () => {
  await using relay = await startCompressingRelay(stack);
  const [plain, compressed] = await bytesSent(relay, async (site, compress) => {
    const connection = await mariadb.createConnection({ ...site.config, compress });
    expect(await connection.query(COMPRESSION)).toMatchObject([{ Value: compress ? 'ON' : 'OFF' }]);
    expect(await connection.query('select ? as text', [LONG])).toEqual([{ text: LONG }]);
    await connection.end();
  });
  expect(compressed).toBeLessThan(plain / 10);
});

test.skipIf(lacks('mariadb-client'))('mariadb --compress', async () => {
  await using relay = await startCompressingRelay(stack);
  const [plain, compressed] = await bytesSent(relay, async ({ config }, compress) => {
    const { host, port, user, password = '' } = config;
    const flags = ['--protocol=tcp', `--host=${host}`, `--port=${port}`, `--user=${user}`, '--skip-column-names'];
    const script = `${COMPRESSION}; select repeat('x', 1000000);`;
    const env = { HOME: '/nonexistent', MYSQL_PWD: password };
    const { stdout, stderr } = await run('mariadb', [...flags, ...(compress ? ['--compress'] : [])], {
      ...{ env, input: script },
    });
    expect(stderr).toBe('');
    expect(stdout).toBe(`Compression\t${compress ? 'ON' : 'OFF'}\n${'x'.repeat(1_000_000)}\n`);
  });
  expect(compressed).toBeLessThan(plain / 10);
});

test('files, and packets of 16 MB', async () => {
  await using relay = await startCompressingRelay(stack);
  const site = await siteAt(relay);
  const connection = await logIn({ ...site.config, compress: true, flags: ['+LOCAL_FILES'] });
  await connection.query('create temporary table t (a text)');
  const lines = Array.from({ length: 1000 }, (_, line) => Buffer.from(`${line}\n`));
  const load = { sql: "load data local infile 'x' into table t", infileStreamFactory: () => Readable.from(lines) };
  expect((await connection.query(load as never))[0]).toMatchObject({ affectedRows: lines.length });
  const [settings] = await rows(connection, 'select @@max_allowed_packet as allowed');
  const long = 'x'.repeat(Math.min(settings?.['allowed'] - 1000, 17_000_000));
  expect(await rows(connection, 'select length(?) as n', [long])).toEqual([{ n: long.length }]);
  await connection.end();
});

test('a KILL by the id of the greeting is not to be had in a session that is compressed', async () => {
  await using relay = await startCompressingRelay(stack);
  const site = await siteAt(relay);
  const compressed = await logIn({ ...site.config, compress: true });
  const other = await logIn(site.config);
  await expect(compressed.query(`kill query ${other.threadId}`)).rejects.toMatchObject({ errno: 1094 });
  const [{ id }] = (await rows(other, 'select connection_id() as id')) as unknown as [{ id: number }];
  await compressed.query(`kill query ${id}`);
  for (const connection of [compressed, other]) connection.destroy();
});

test('a session that is compressed ends at a change of user, also to one that has no password', async () => {
  await using relay = await startCompressingRelay(stack);
  await using stranger = await startStack('mysql');
  const site = await siteAt(relay, { password: false, trustLocalUsers: true });
  for (const user of [stranger.username, stack.username]) {
    const { database } = stranger;
    const connection = await logIn({ ...site.config, compress: true });
    await expect(connection.changeUser({ user, database })).rejects.toMatchObject({
      errno: 1045,
      message: expect.stringContaining('the user of a compressed connection cannot be changed'),
    });
    await until(async () => site.proxy.stats.connected === 0 && (await stack.sessions()) === 0);
    expect(await stranger.sessions()).toBe(0);
  }
});

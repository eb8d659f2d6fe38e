import { type CompressingRelay, type Stack, startCompressingRelay, startStack } from '@rds-iam/conformance';
import mariadb from 'mariadb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../harness.js';
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
const siteAt = ({ port, ca }: CompressingRelay) =>
  startSite({ ...stack, config: { ...stack.config, port, iam: { ...stack.iam, ca } } });

/** Asks over connections with compression and without; what the server sent for each. */
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

test('mysql2: what passes is compressed, both ways and in many packets', async () => {
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

test('a change of user and a KILL by the id of the greeting are not to be had in a session that is compressed', async () => {
  await using relay = await startCompressingRelay(stack);
  const site = await siteAt(relay);
  const compressed = await logIn({ ...site.config, compress: true });
  const other = await logIn(site.config);
  await expect(compressed.query(`kill query ${other.threadId}`)).rejects.toMatchObject({ errno: 1094 });
  const [{ id }] = (await rows(other, 'select connection_id() as id')) as unknown as [{ id: number }];
  await compressed.query(`kill query ${id}`);
  const { user, password = '' } = site.config;
  await expect(compressed.changeUser({ user, password })).rejects.toThrow();
  for (const connection of [compressed, other]) connection.destroy();
});

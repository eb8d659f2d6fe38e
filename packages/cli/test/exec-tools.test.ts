// The URL of exec as it is, without a flag, in the hands of drivers and of other people's programs.

import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Engine, hostileServers, PART_OF_TOKEN } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { describe, expect, test } from 'vitest';
import { type Running, rdsIam, start, tool } from './command-line.js';
import { execStack } from './exec-stack.js';

const programs = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
const projectOf = (name: string) => fileURLToPath(new URL(`projects/${name}`, import.meta.url));
const program = (name: string) => join(programs, name);

const DRIVERS: Readonly<Record<Engine, readonly string[]>> = {
  postgres: ['pg', 'postgres.js', '@prisma/adapter-pg'],
  mysql: ['mysql2', '@prisma/adapter-mariadb'],
};
const WHO: Readonly<Record<Engine, string>> = {
  postgres: 'select current_user::text as who',
  mysql: 'select current_user() as who',
};
/** mariadb, in Prisma's adapter, sends the token to whoever says of itself to be a MariaDB. */
const SENDS_TO_ANYBODY = '@prisma/adapter-mariadb';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs what ends by a signal only. */
async function served<T>(running: Running, serves: RegExp, use: () => Promise<T>): Promise<T> {
  try {
    await running.said(serves);
    return await use();
  } finally {
    running.child.kill('SIGTERM');
    await running.outcome;
  }
}

describe.each<Engine>(['postgres', 'mysql'])('exec on %s', (engine) => {
  const { stack, ca, scratch, variables, url, query } = execStack(engine);
  const execArgs = (command: readonly string[]) => ['exec', '--ca', ca, url(), '--', ...command];
  const exec = (command: readonly string[], project: string, more: Readonly<Record<string, string>> = {}) =>
    rdsIam(execArgs(command), { ...variables, ...more }, projectOf(project));
  /** A query of PostgreSQL or MySQL, whose first row is that of the table. */
  const page = (table: string) => `select name from ${table} limit 25`;

  describe('drivers', () => {
    /** What each makes of the URL, at each of these ports. */
    const outcomes = async (names: readonly string[], ports: readonly number[], caFile = ca) => {
      const command = [process.execPath, 'drivers.mjs', JSON.stringify({ query: WHO[engine], names, ports })];
      const { stdout } = await rdsIam(
        ['exec', '--ca', caFile, url(), '--', ...command],
        variables,
        projectOf('drivers'),
      );
      return JSON.parse(stdout);
    };

    test('log in', async () => {
      const who = engine === 'mysql' ? `${stack().username}@%` : stack().username;
      const names = DRIVERS[engine].filter((name) => name !== SENDS_TO_ANYBODY);
      const [seen] = await outcomes(names, [stack().emulator.port]);
      expect(seen).toEqual(Object.fromEntries(names.map((name) => [name, who])));
    });

    test('send no token to a server that is not encrypted to, or not vouched for', async () => {
      const authority = await createCertificateAuthority();
      const trusted = join(scratch, 'hostile-ca.pem');
      writeFileSync(trusted, authority.ca);
      const hostile = Object.entries(hostileServers(engine));
      const servers = await Promise.all(hostile.map(([, { start }]) => start(authority)));
      try {
        const seen = await outcomes(
          DRIVERS[engine],
          servers.map(({ port }) => port),
          trusted,
        );
        for (const [at, [manner]] of hostile.entries()) {
          for (const name of DRIVERS[engine]) expect(seen[at][name], `${name}: ${manner}`).toHaveProperty('error');
          expect(servers[at]?.received(), manner).not.toMatch(PART_OF_TOKEN);
        }
      } finally {
        await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      }
    });
  });

  test('prisma studio shows a page of data', async () => {
    await query(`create table studio_fruit (name varchar(20))`);
    await query(`insert into studio_fruit values ('quince')`);
    const port = await freePort();
    const studio = start(
      process.execPath,
      tool(...execArgs([program('prisma'), 'studio', '--browser', 'none', '--port', String(port)])),
      { ...variables, CHECKPOINT_DISABLE: '1' },
      projectOf('prisma'),
    );
    const rows = await served(studio, /running at/, async () => {
      const origin = `http://localhost:${port}`;
      const answer = await fetch(`${origin}/bff`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin },
        body: JSON.stringify({ procedure: 'query', query: { sql: page('studio_fruit'), parameters: [] } }),
      });
      return answer.json();
    });
    expect(rows).toEqual([null, [{ name: 'quince' }]]);
  }, 120_000);

  // drizzle-kit takes pg where there is one, else postgres.js.
  const kits = engine === 'mysql' ? ['mysql2'] : ['pg', 'postgres.js'];
  test.each(kits)(
    'drizzle-kit generates, migrates, pushes and shows a page of data with %s',
    async (driver) => {
      const name = `drizzle_${driver.replace(/\W/, '')}`;
      const out = join(scratch, name);
      mkdirSync(out);
      const preload = driver === 'postgres.js' ? { NODE_OPTIONS: '--import=./without-pg.mjs' } : {};
      const settings = { OUT: out, SCHEMA: stack().username, ...preload };
      const kit = (table: string, ...args: string[]) =>
        exec([program('drizzle-kit'), ...args, '--config', `${engine}.config.cjs`], 'drizzle', {
          ...settings,
          TABLE: `${name}_${table}`,
        });
      // drizzle-kit makes sure that there is a schema, for which one needs the right also if it is there.
      if (engine === 'postgres') await query(`grant create on database postgres to ${stack().username}`, 'postgres');
      for (const [table, ...command] of [
        ['migrated', 'generate'],
        ['migrated', 'migrate'],
        ['pushed', 'push', '--force'],
      ] as const) {
        const { exitCode, stdout, stderr } = await kit(table, ...command);
        expect(exitCode, stdout + stderr).toBe(0);
      }
      if (engine === 'postgres') await query(`revoke create on database postgres from ${stack().username}`, 'postgres');
      await query(`insert into ${name}_pushed values ('quince')`);
      const port = await freePort();
      const studio = start(
        process.execPath,
        tool(
          ...execArgs([program('drizzle-kit'), 'studio', '--port', String(port), '--config', `${engine}.config.cjs`]),
        ),
        { ...variables, ...settings, TABLE: `${name}_pushed` },
        projectOf('drizzle'),
      );
      const rows = await served(studio, /up and running/, async () => {
        const data = { sql: page(`${name}_pushed`), params: [], typings: [], method: 'all', mode: 'object' };
        const answer = await fetch(`http://127.0.0.1:${port}/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ type: 'proxy', data }),
        });
        return answer.json();
      });
      expect(rows).toEqual([{ name: 'quince' }]);
    },
    120_000,
  );
});

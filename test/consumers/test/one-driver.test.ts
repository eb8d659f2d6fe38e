import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { startMariadb, startPostgres } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Project } from '../src/project.js';
import { packAll, withRange } from '../src/tarballs.js';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const DRIVERS = ['pg', 'mysql2', 'mariadb'];

type Consumer = readonly [program: string, folder: string, dependencies: readonly string[]];

const CONSUMERS: Readonly<Record<'postgres' | 'mysql', readonly Consumer[]>> = {
  postgres: [
    ['pg', 'pg', ['pg', '@types/pg']],
    ['typeorm-postgres', 'typeorm', ['typeorm', 'pg']],
    ['knex-postgres', 'knex', ['knex', 'pg']],
    ['sequelize-postgres', 'sequelize', ['sequelize', 'pg', 'pg-hstore']],
    ['prisma-postgres', 'prisma', ['@prisma/adapter-pg', 'pg']],
  ],
  mysql: [
    ['mysql2', 'mysql2', ['mysql2']],
    ['mariadb', 'mysql2', ['mariadb']],
    ['typeorm-mysql', 'typeorm', ['typeorm', 'mysql2']],
    ['knex-mysql', 'knex', ['knex', 'mysql2']],
    ['sequelize-mysql', 'sequelize', ['sequelize', 'mysql2']],
    ['prisma-mysql', 'prisma', ['@prisma/adapter-mariadb', 'mariadb']],
  ],
};

let tarballs: ReadonlyMap<string, string>;
let packed: string;
beforeAll(async () => {
  packed = await mkdtemp(join(tmpdir(), 'rds-iam-packed-'));
  tarballs = await packAll(packed);
}, 300_000);
afterAll(() => rm(packed, { recursive: true }));

describe.each(['postgres', 'mysql'] as const)('on %s', (engine) => {
  let server: { readonly hostname: string; readonly port: number; close(): Promise<void> };
  let emulator: Emulator;
  beforeAll(async () => {
    server = engine === 'postgres' ? await startShopOnPostgres() : await startShopOnMariadb();
    const { hostname, port } = server;
    emulator = await startEmulator({
      engine,
      upstream: { hostname, port },
      region: 'eu-west-1',
      accessKeys: [CREDENTIALS],
    });
  });
  afterAll(async () => {
    await emulator.close();
    await server.close();
  });

  test.each(CONSUMERS[engine])(
    '%s, installed from the tarballs with one driver, logs in and compiles',
    async (program, folder, dependencies) => {
      await using project = await Project.create();
      const ours = [...tarballs].filter(([name]) => isNeeded(name, folder)).map(([, tarball]) => tarball);
      const others = await Promise.all(dependencies.map((dependency) => withRange(folder, dependency)));
      await project.install(...ours, ...others, '@types/node@20');

      const drivers = (await project.installed()).filter((name) => DRIVERS.includes(name));
      expect(drivers, 'no driver of another engine was brought along').toEqual(
        dependencies.filter((name) => DRIVERS.includes(name)),
      );
      const environment = {
        PORT: String(emulator.port),
        CA: emulator.ca,
        ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      };
      expect(await project.run(`${program}.mjs`, environment)).toContain('app');
      expect(await project.compile(`${program}.mjs`)).toEqual([]);
    },
    180_000,
  );
});

/** The packages are not published yet, so those that one depends on have to be named, too. */
function isNeeded(name: string, folder: string): boolean {
  const drivers = ['@rds-iam/core', '@rds-iam/pg', '@rds-iam/mysql2'];
  if (name === `@rds-iam/${folder}` || name === '@rds-iam/core') return true;
  return !['pg', 'mysql2'].includes(folder) && drivers.includes(name);
}

async function startShopOnPostgres() {
  const server = await startPostgres();
  const admin = await server.connectAsSuperuser();
  await admin.query('create role app login');
  await admin.query('create database shop owner app');
  await admin.end();
  return server;
}

async function startShopOnMariadb() {
  const server = await startMariadb();
  const admin = await server.connectAsSuperuser();
  await admin.query("create user app@'%' identified by ''");
  await admin.query('create database shop');
  await admin.query("grant all on shop.* to app@'%'");
  await admin.end();
  return server;
}

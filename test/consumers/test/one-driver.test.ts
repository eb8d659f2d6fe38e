import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop, type Shop } from '../src/shop.js';
import { isTested, oldestPeers, withRange } from '../src/tarballs.js';

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

describe.each(['postgres', 'mysql'] as const)('on %s', (engine) => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop(engine);
  });
  afterAll(() => shop[Symbol.asyncDispose]());

  test.each(CONSUMERS[engine])(
    '%s, installed from the tarballs with one driver, logs in and compiles',
    async (program, folder, dependencies) => {
      await using project = await Project.create();
      const ours = Object.entries(inject('tarballs')).filter(([name]) => isNeeded(name, folder));
      const others = await Promise.all(dependencies.map((dependency) => withRange(folder, dependency)));
      await project.install(...ours.map(([, tarball]) => tarball), ...others, '@types/node@20');

      const drivers = (await project.installed()).filter((name) => DRIVERS.includes(name));
      expect(drivers, 'no driver of another engine was brought along').toEqual(
        dependencies.filter((name) => DRIVERS.includes(name)),
      );
      expect(await project.run(`${program}.mjs`, shop.environment)).toContain('app');
      expect(await project.compile(`${program}.mjs`)).toEqual([]);

      // Where a peer's range has several parts, the lower end of each that the package's own tests do not have.
      for (const dependency of dependencies) {
        const versions = await oldestPeers(folder, dependency);
        for (const version of versions.length > 1 ? versions : []) {
          if (await isTested(folder, version)) continue;
          await project.install(version);
          expect(await project.run(`${program}.mjs`, shop.environment), version).toContain('app');
        }
      }
    },
    180_000,
  );
});

/** The packages are not published yet, so those that one depends on have to be named, too. */
function isNeeded(name: string, folder: string): boolean {
  const drivers = ['@rds-iam/core', '@rds-iam/pg', '@rds-iam/mysql2'];
  if ([`@rds-iam/${folder}`, '@rds-iam/core', '@rds-iam/wire'].includes(name)) return true;
  return !['pg', 'mysql2'].includes(folder) && drivers.includes(name);
}

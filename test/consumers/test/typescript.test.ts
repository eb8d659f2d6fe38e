import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { type CompilerSettings, Project } from '../src/project.js';

describe.each<{ age: string; name: string; compiler: CompilerSettings }>([
  { age: 'the oldest', name: 'oldest-types', compiler: { compiler: 'node_modules/typescript/bin/tsc' } },
  { age: 'the newest', name: 'newest-types', compiler: {} },
])('a use of every package with $age TypeScript and peers', ({ name, compiler }) => {
  const project = new Project(inject('projects')[name] as string);
  beforeAll(() => copyFile(join(project.folder, 'every-package.mts'), join(project.folder, 'every-package.cts')));

  test.each([
    // Checking our declarations once is enough, because it takes long.
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

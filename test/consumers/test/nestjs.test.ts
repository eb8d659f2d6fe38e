import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop } from '../src/shop.js';
import { withRange } from '../src/tarballs.js';

let project: Project;
beforeAll(async () => {
  project = await Project.create('nestjs');
  const ours = ['core', 'wire', 'pg', 'mysql2', 'typeorm'].map((name) => inject('tarballs')[`@rds-iam/${name}`] ?? '');
  const others = ['typeorm', 'pg', 'mysql2'].map((name) => withRange('typeorm', name));
  await project.install(...ours, ...(await Promise.all(others)));
  await project.node(['node_modules/typescript/bin/tsc']);
}, 180_000);
afterAll(() => project[Symbol.asyncDispose]());

test.each(['postgres', 'mysql'] as const)(
  'a NestJS application with TypeORM on %s boots, queries and shuts down',
  async (engine) => {
    await using shop = await openShop(engine);
    const printed = await project.node(['dist/main.js'], shop.environment);
    expect(printed).toEqual({ stdout: '["lamp"]', stderr: '' });
    expect(shop.accepted).toBeGreaterThan(0);
  },
  60_000,
);

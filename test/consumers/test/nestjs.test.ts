import { beforeAll, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop } from '../src/shop.js';

const project = new Project(inject('projects')['nestjs'] as string);
beforeAll(async () => {
  await project.node(['node_modules/typescript/bin/tsc']);
});

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

import { expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { openShop } from '../src/shop.js';

test('Jest with CommonJS: programs log in, and Jest ends by itself', async () => {
  await using postgres = await openShop('postgres');
  await using mysql = await openShop('mysql');
  const project = new Project(inject('projects')['jest'] as string);
  const { stderr } = await project.node(['node_modules/jest/bin/jest.js', '--ci'], {
    ...postgres.environment,
    // Each emulator has its own CA.
    CA: `${postgres.environment['CA']}\n${mysql.environment['CA']}`,
    POSTGRES_PORT: postgres.environment['PORT'] ?? '',
    MYSQL_PORT: mysql.environment['PORT'] ?? '',
  });
  expect(stderr).toContain('Tests:       3 passed, 3 total');
  expect(stderr).not.toMatch(/did not exit|open handle|warning/i);
}, 60_000);

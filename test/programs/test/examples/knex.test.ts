import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MYSQL, POSTGRES, type PretendedRds, pretendRds, root } from '../../src/rds.js';

const folder = join(root, 'examples/knex');
const cli = createRequire(join(folder, 'package.json')).resolve('knex/bin/cli.js');

describe.each([POSTGRES, MYSQL])('examples/knex on $engine', (backend) => {
  let rds: PretendedRds;
  beforeAll(async () => {
    rds = await pretendRds(backend);
  });
  afterAll(() => rds[Symbol.asyncDispose]());

  const knex = (...args: string[]) => rds.run([cli, ...args, '--env', backend.engine], folder);

  test('runs as it stands', async () => {
    expect(await rds.run([`${backend.engine}.ts`], folder)).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: 'not enough of table\nsold: 2 lamp\nleft: 1 lamp, 1 table\n',
    });
    expect(rds.emulator.stats.accepted).toBeGreaterThan(0);
  });

  test("its knexfile serves Knex's command line", async () => {
    for (const [command, says] of [
      ['migrate:rollback', 'rolled back: 1 migrations'],
      ['migrate:latest', 'Batch 1 run: 1 migrations'],
      ['seed:run', 'Ran 1 seed files'],
    ] as const) {
      expect(await knex(command)).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining(says) });
    }
  });
});

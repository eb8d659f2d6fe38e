import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MYSQL, POSTGRES, type PretendedRds, pretendRds, root } from '../../src/rds.js';

const example = join(root, 'examples/sequelize');
const cli = createRequire(join(example, 'package.json')).resolve('sequelize-cli/lib/sequelize');

describe.each([POSTGRES, MYSQL])('examples/sequelize on $engine', (backend) => {
  let rds: PretendedRds;
  beforeAll(async () => {
    rds = await pretendRds(backend);
  });
  afterAll(() => rds[Symbol.asyncDispose]());

  const migrate = (command: string) => rds.run([cli, command, '--config', `${backend.engine}.config.js`], example);

  test('sequelize-cli migrates, the program sells, and sequelize-cli undoes', async () => {
    const done = await migrate('db:migrate');
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(done.stdout).toContain('20250101000000-shop: migrated');

    const program = await rds.runProgram(`${backend.engine}.ts`, example);
    expect(program).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: [
        '3 of tea: sold',
        '4 of tea: sold',
        '5 of tea: there is no more than 3',
        '2 orders for 7 of tea',
        '',
      ].join('\n'),
    });

    const undone = await migrate('db:migrate:undo');
    expect(undone).toMatchObject({ exitCode: 0, stderr: '' });
    expect(undone.stdout).toContain('20250101000000-shop: reverted');
  });

  test('all of them logged in with tokens', () => {
    expect(rds.emulator.stats.accepted).toBeGreaterThan(2);
    expect(rds.emulator.stats.accepted).toBe(rds.emulator.stats.connections);
  });
});

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MYSQL, POSTGRES, type PretendedRds, pretendRds, root } from '../../src/rds.js';

const example = join(root, 'examples/typeorm');

/** pg's warning about how TypeORM 0.3 reads a schema. */
const CONCURRENT_QUERIES =
  /^.*Calling client\.query\(\) when the client is already executing.*\n.*trace-deprecation.*\n/m;

/** The example as a project whose `typeorm` is the oldest of the peer range. */
function projectWithOldest(): string {
  const project = mkdtempSync(join(tmpdir(), 'rds-iam-typeorm-'));
  cpSync(example, project, { recursive: true, filter: (path) => !path.endsWith('node_modules') });
  const modules = {
    '@rds-iam/typeorm': join(root, 'packages/typeorm'),
    typeorm: join(root, 'packages/typeorm/node_modules/typeorm-oldest'),
    tsx: join(root, 'node_modules/tsx'),
  };
  for (const [name, target] of Object.entries(modules)) {
    const path = join(project, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(realpathSync(target), path);
  }
  return project;
}

describe.each([
  ['1', () => example],
  ['0.3', projectWithOldest],
])('examples/typeorm with TypeORM %s', (_, makeProject) => {
  let project: string;
  beforeAll(() => {
    project = makeProject();
  });
  afterAll(() => {
    if (project !== example) rmSync(project, { recursive: true });
  });

  describe.each([POSTGRES, MYSQL])('on $engine', (backend) => {
    let rds: PretendedRds;
    beforeAll(async () => {
      rds = await pretendRds(backend);
    });
    afterAll(() => rds[Symbol.asyncDispose]());

    const cli = (command: string) =>
      rds.run(
        ['node_modules/typeorm/cli.js', `migration:${command}`, '-d', `./${backend.engine}-data-source.ts`],
        project,
      );

    test('it migrates, sells in transactions and ends', async () => {
      const { exitCode, stdout, stderr } = await rds.runProgram(`${backend.engine}.ts`, project);
      expect(stderr).toBe('');
      expect(stdout.split('\n')).toEqual([
        'migrations: CreateShop1700000000000',
        '2 of tea: sold',
        '2 of tea: out of stock',
        'order: 2 of tea, 1 left',
        '',
      ]);
      expect(exitCode).toBe(0);
      expect(rds.emulator.stats.open).toBe(0);
    });

    test("TypeORM's command line reverts its migration and runs it", async () => {
      for (const [command, said] of [
        ['revert', /CreateShop1700000000000.* has been.*reverted successfully/],
        ['run', /CreateShop1700000000000.* has been.*executed successfully/],
      ] as const) {
        const { exitCode, stdout, stderr } = await cli(command);
        expect(stderr.replace(CONCURRENT_QUERIES, ''), command).toBe('');
        expect(stdout, command).toMatch(said);
        expect(exitCode, command).toBe(0);
      }
    });
  });
});

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prismaCli, prismaGenerate } from '../../src/prisma.js';
import { MYSQL, POSTGRES, type PretendedRds, pretendRds, root } from '../../src/rds.js';

const folder = join(root, 'examples/prisma');
beforeAll(() => {
  for (const schema of ['postgres.prisma', 'mysql.prisma']) prismaGenerate(schema, folder);
});

test('the example compiles with the clients that Prisma generates for it', () => {
  const tsc = join(dirname(createRequire(join(root, 'package.json')).resolve('typescript/package.json')), 'bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', folder], { stdio: 'pipe' });
});

describe.each([
  ['postgres.ts', POSTGRES],
  ['mysql.ts', MYSQL],
])('%s', (program, backend) => {
  let rds: PretendedRds;
  beforeAll(async () => {
    rds = await pretendRds(backend);
  });
  afterAll(() => rds[Symbol.asyncDispose]());

  test('migrates, orders in transactions and ends', async () => {
    const { exitCode, stdout, stderr } = await rds.runProgram(program, folder);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('left: 7');
    expect(stdout).toContain("refused: 'not enough of cake'");
    expect(stdout).toContain("products: [ 'cake: 1, 0', 'tea: 7, 1' ]");
    expect(rds.emulator.stats.accepted).toBeGreaterThan(0);
  });
});

test('prisma migrate logs in with the token of migrate.config.ts, and asks for verified TLS', async () => {
  await using rds = await pretendRds(POSTGRES);
  const deploy = [prismaCli, 'migrate', 'deploy', '--config', 'migrate.config.ts'];
  const { exitCode, stdout } = await rds.run(deploy, folder, {
    PRISMA_SCHEMA_ENGINE_BINARY: join(root, 'test/programs/src/prisma-engine.mjs'),
    CHECKPOINT_DISABLE: '1',
  });
  expect(stdout).toContain('No pending migrations to apply');
  expect(exitCode).toBe(0);
  expect(rds.emulator.stats.accepted).toBeGreaterThan(0);
});

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Stack, startStack } from '@rds-iam/conformance';
import { knex } from 'knex';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withRdsIam } from '../src/index.js';
import { configOf, DIALECTS } from './subject.js';

const project = fileURLToPath(new URL('cli', import.meta.url));
const cli = createRequire(import.meta.url).resolve('knex/bin/cli.js');

describe.each(DIALECTS)("Knex's command line with $client", (dialect) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack(dialect.engine);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const options = () => {
    const { emulator, username, database, iam } = stack;
    return { hostname: 'localhost', port: emulator.port, username, database, iam };
  };

  async function run(...args: string[]): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [cli, ...args], {
      cwd: project,
      env: {
        ...process.env,
        NODE_ENV: 'production',
        NODE_OPTIONS: `--conditions=@rds-iam/source --import=tsx`,
        CONFIG: JSON.stringify(configOf(dialect, options())),
        NO_COLOR: '1',
      },
    });
    expect(stderr).toBe('');
    return stdout;
  }

  test('migrates, seeds and rolls back, with an environment of a knexfile', async () => {
    expect(await run('migrate:latest')).toContain('Using environment: production\nBatch 1 run: 1 migrations');
    expect(await run('migrate:status')).toContain('20260101000000_fruit.mjs');
    expect(await run('seed:run')).toContain('Ran 1 seed files');

    const db = knex(withRdsIam(configOf(dialect, options())));
    expect(await db('fruit').orderBy('name').pluck('name')).toEqual(['apple', 'pear']);
    expect(await run('migrate:rollback')).toContain('Batch 1 rolled back: 1 migrations');
    expect(await db.schema.hasTable('fruit')).toBe(false);
    await db.destroy();
  });

  test('says why a login failed', async () => {
    stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
    await expect(run('migrate:latest')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/RdsIamError: login refused by localhost:\d+ as "app_/),
    });
    stack.emulator.setFaults({});
  });
});

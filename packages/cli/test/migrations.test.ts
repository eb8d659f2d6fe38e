// Projects that know nothing about IAM run their migrations with the token and the CA that exec puts into the environment.
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '@rds-iam/conformance';
import { describe, expect, test, vi } from 'vitest';
import { rdsIam, start, tool } from './command-line.js';
import { execStack } from './exec-stack.js';

const programs = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
const projectOf = (name: string) => fileURLToPath(new URL(`projects/${name}`, import.meta.url));

interface Project {
  readonly name: string;
  /** The only engine that it supports, or whose TLS settings it reads from the environment. */
  readonly engine?: Engine;
  /** The command that runs its migrations. */
  command(engine: Engine): string[];
  /** The same for a migration that never ends. */
  endless?(): string[];
}

const PROJECTS: readonly Project[] = [
  {
    name: 'knex',
    command: (engine) => [join(programs, 'knex'), 'migrate:latest', '--knexfile', `${engine}.cjs`],
    endless: () => [
      join(programs, 'knex'),
      ...['migrate:latest', '--knexfile', 'postgres.cjs', '--migrations-directory', 'endless'],
      ...['--migrations-table-name', 'endless'],
    ],
  },
  {
    name: 'typeorm',
    engine: 'postgres',
    command: (engine) => [join(programs, 'typeorm'), 'migration:run', '-d', `${engine}.cjs`],
    endless: () => ['env', 'MIGRATIONS=endless', join(programs, 'typeorm'), 'migration:run', '-d', 'postgres.cjs'],
  },
  {
    name: 'sequelize',
    engine: 'postgres',
    command: (engine) => [join(programs, 'sequelize-cli'), 'db:migrate', '--env', engine],
    endless: () => [
      join(programs, 'sequelize-cli'),
      ...['db:migrate', '--env', 'postgres', '--migrations-path', 'endless'],
    ],
  },
  { name: 'node', command: (engine) => [process.execPath, `${engine}.mjs`] },
  {
    name: 'dbmate',
    command: () => [
      join(programs, 'dbmate'),
      ...['--migrations-dir', 'migrations', '--migrations-table', 'dbmate_migrations', '--no-dump-schema', 'migrate'],
    ],
  },
  {
    name: 'node-pg-migrate',
    engine: 'postgres',
    // Its tables would be in the schema `public`.
    command: () => [
      'sh',
      '-c',
      `${join(programs, 'node-pg-migrate')} up --schema "$PGUSER" --migrations-schema "$PGUSER"`,
    ],
  },
];

describe.each<Engine>(['postgres', 'mysql'])('with exec on %s', (engine) => {
  const projects = PROJECTS.filter((project) => (project.engine ?? engine) === engine);
  const { stack, ca, variables, url, query } = execStack(engine);
  const execArgs = () => ['exec', url()];
  const tables = async () => {
    const rows = await query("select table_name as name from information_schema.tables where table_name like '%fruit'");
    return rows.map(({ name }) => name);
  };

  test.each(projects)('$name sends no token to a server with a certificate from another CA', async (project) => {
    const { exitCode, stdout, stderr } = await rdsIam(
      [...execArgs(), '--', ...project.command(engine)],
      variables,
      projectOf(project.name),
    );
    expect(stdout + stderr).toMatch(/unable to verify the first certificate|certificate signed by unknown authority/);
    expect(exitCode).toBeGreaterThan(0);
    expect(stack().emulator.stats).toMatchObject({ accepted: 0, refused: {} });
    expect(await tables()).not.toContain(`${project.name}_fruit`);
  });

  test.each(projects)('$name migrates', async (project) => {
    const { exitCode, stdout, stderr } = await rdsIam(
      [...execArgs(), '--ca', ca, '--', ...project.command(engine)],
      variables,
      projectOf(project.name),
    );
    expect({ exitCode, stdout, stderr }).toMatchObject({ exitCode: 0, stderr: '' });
    expect(stdout).not.toContain('X-Amz-Signature');
    expect(await tables()).toContain(`${project.name}_fruit`);
  });

  test.each(engine === 'postgres' ? projects.filter(({ endless }) => endless) : [])(
    '$name is ended by a signal in the middle of a migration',
    async (project) => {
      const args = [...execArgs(), '--ca', ca, '--', ...(project.endless?.() ?? [])];
      const running = start(process.execPath, tool(...args), variables, projectOf(project.name));
      await running.said(/migrating/);
      running.child.kill('SIGTERM');
      expect((await running.outcome).exitCode).toBe(128 + constants.signals.SIGTERM);
      await vi.waitFor(async () => expect(await stack().sessions()).toBe(0), 10_000);
    },
  );
});

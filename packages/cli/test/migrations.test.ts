// Projects that know nothing of IAM run their migrations with what exec puts into the environment.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Engine, type Stack, startStack } from '@rds-iam/conformance';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { KEYS, rdsIam, start, tool } from './command-line.js';

const programs = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
const projectOf = (name: string) => fileURLToPath(new URL(`projects/${name}`, import.meta.url));

interface Project {
  readonly name: string;
  /** What runs its migrations. */
  command(engine: Engine): string[];
  /** The same, for a migration that does not end. */
  endless?(): string[];
  /** What exec needs to be told where the project has nothing but the URL. */
  readonly mysqlFlags: readonly string[];
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
    mysqlFlags: ['--mysql2'],
  },
  {
    name: 'typeorm',
    command: (engine) => [join(programs, 'typeorm'), 'migration:run', '-d', `${engine}.cjs`],
    endless: () => ['env', 'MIGRATIONS=endless', join(programs, 'typeorm'), 'migration:run', '-d', 'postgres.cjs'],
    mysqlFlags: [],
  },
  {
    name: 'sequelize',
    command: (engine) => [join(programs, 'sequelize-cli'), 'db:migrate', '--env', engine],
    endless: () => [
      join(programs, 'sequelize-cli'),
      ...['db:migrate', '--env', 'postgres', '--migrations-path', 'endless'],
    ],
    mysqlFlags: [],
  },
  { name: 'node', command: (engine) => [process.execPath, `${engine}.mjs`], mysqlFlags: ['--mysql2'] },
];

describe.each<Engine>(['postgres', 'mysql'])('with exec on %s', (engine) => {
  let stack: Stack;
  const scratch = mkdtempSync(join(tmpdir(), 'rds-iam-migrations-'));
  const ca = join(scratch, 'ca.pem');
  beforeAll(async () => {
    stack = await startStack(engine);
    writeFileSync(ca, stack.emulator.ca);
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  const variables = { ...KEYS, AWS_REGION: 'eu-west-1', NODE_NO_WARNINGS: '1' };
  const url = () => `${engine}://${stack.username}@localhost:${stack.emulator.port}/${stack.database}`;
  const execArgs = ({ mysqlFlags }: Project) => ['exec', ...(engine === 'mysql' ? mysqlFlags : []), url()];
  const tables = async () => {
    const { upstream, username, database } = stack;
    const query = `select table_name as name from information_schema.tables where table_name like '%fruit'`;
    const login = { host: upstream.hostname, port: upstream.port, user: username, database };
    if (engine === 'mysql') {
      const connection = await mysql.createConnection(login);
      const [rows] = await connection.query<mysql.RowDataPacket[]>(query);
      await connection.end();
      return rows.map(({ name }) => name);
    }
    const client = new pg.Client(login);
    await client.connect();
    const { rows } = await client.query(query);
    await client.end();
    return rows.map(({ name }) => name);
  };

  test.each(PROJECTS)('$name sends no token to a server that another CA vouches for', async (project) => {
    const { exitCode, stdout, stderr } = await rdsIam(
      [...execArgs(project), '--', ...project.command(engine)],
      variables,
      projectOf(project.name),
    );
    expect(stdout + stderr).toMatch(/unable to verify the first certificate/);
    expect(exitCode).toBe(1);
    expect(stack.emulator.stats).toMatchObject({ accepted: 0, refused: {} });
    expect(await tables()).not.toContain(`${project.name}_fruit`);
  });

  test.each(PROJECTS)('$name migrates', async (project) => {
    const { exitCode, stdout, stderr } = await rdsIam(
      [...execArgs(project), '--ca', ca, '--', ...project.command(engine)],
      variables,
      projectOf(project.name),
    );
    expect({ exitCode, stdout, stderr }).toMatchObject({ exitCode: 0, stderr: '' });
    expect(stdout).not.toContain('X-Amz-Signature');
    expect(await tables()).toContain(`${project.name}_fruit`);
  });

  test.each(engine === 'postgres' ? PROJECTS.filter(({ endless }) => endless) : [])(
    '$name is ended by a signal in the middle of a migration',
    async (project) => {
      const args = [...execArgs(project), '--ca', ca, '--', ...(project.endless?.() ?? [])];
      const running = start(process.execPath, tool(...args), variables, projectOf(project.name));
      await running.said(/migrating/);
      running.child.kill('SIGTERM');
      expect((await running.outcome).exitCode).toBe(128 + constants.signals.SIGTERM);
      await vi.waitFor(async () => expect(await stack.sessions()).toBe(0));
    },
  );
});

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { has, rdsIam } from './command-line.js';
import { execStack } from './exec-stack.js';

const projectOf = (name: string) => fileURLToPath(new URL(`projects/${name}`, import.meta.url));
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url));

describe('exec --proxy on postgres', () => {
  const { stack, ca, variables, url, query } = execStack('postgres');
  const exec = (command: readonly string[], project = 'node') =>
    rdsIam(['exec', '--proxy', '--ca', ca, url(), '--', ...command], variables, projectOf(project));

  test('the environment has a local port, and no token', async () => {
    const print = 'console.log(JSON.stringify(process.env))';
    const { exitCode, stdout } = await exec([process.execPath, '-e', print]);
    expect(exitCode).toBe(0);
    const environment = JSON.parse(stdout);
    expect(environment).toMatchObject({ PGHOST: '127.0.0.1', PGUSER: stack().username, PGSSLMODE: 'disable' });
    expect(environment.DATABASE_URL).toBe(
      `postgresql://${stack().username}:${environment.PGPASSWORD}@127.0.0.1:${environment.PGPORT}/${stack().database}`,
    );
    expect(stdout).not.toMatch(/X-Amz|Action=connect/);
  });

  test.skipIf(!has('psql'))('psql, by its variables and by the URL', async () => {
    const script = 'psql -XAtc "select current_user" && psql -XAtc "select current_user" "$DATABASE_URL"';
    const { username } = stack();
    expect(await exec(['sh', '-c', script])).toMatchObject({ exitCode: 0, stdout: `${username}\n${username}\n` });
  });

  test('a command logs in as often as it wants, and its exit code is what it ends with', async () => {
    const program = `
      const pg = require('pg');
      (async () => {
        for (let time = 0; time < 3; time++) {
          const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
          await client.connect();
          await client.end();
        }
        process.exit(7);
      })();`;
    const before = stack().emulator.stats.accepted;
    const script = fileURLToPath(new URL('../node_modules/pg', import.meta.url));
    const { exitCode, stderr } = await exec([process.execPath, '-e', program.replace("'pg'", JSON.stringify(script))]);
    expect(stderr).toBe('');
    expect(exitCode).toBe(7);
    expect(stack().emulator.stats.accepted).toBe(before + 3);
  });

  test.each([
    ['knex', ['knex', 'migrate:latest', '--knexfile', 'postgres.cjs']],
    ['typeorm', ['typeorm', 'migration:run', '-d', 'postgres.cjs']],
    ['sequelize', ['sequelize-cli', 'db:migrate', '--env', 'postgres']],
  ])('%s migrates, with the settings that it has', { timeout: 60_000 }, async (project, [program = '', ...args]) => {
    const made = await exec([bin(program), ...args], project);
    expect(made, made.stderr).toMatchObject({ exitCode: 0 });
    expect(await query(`select to_regclass('${project}_fruit') as fruit`)).toEqual([{ fruit: `${project}_fruit` }]);
  });

  test('why a login is refused is said, also where the command keeps it to itself', async () => {
    const silent = `
      const socket = require('node:net').connect(process.env.PGPORT, '127.0.0.1');
      socket.write('GET / HTTP/1.1');
      socket.resume();`;
    const { stderr } = await exec([process.execPath, '-e', silent]);
    expect(stderr).toMatch(/rds-iam: warning: .* refusal nobody yet from 127\.0\.0\.1 .*: protocol: /);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '@rds-iam/conformance';
import mariadb from 'mariadb';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../harness.js';
import { holdClock, letTokensExpire, loginsPastTokens } from '../past-tokens.js';
import { lacks } from '../programs.js';
import { logIn, rows, type Site, startSite } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('mysql');
});
afterAll(() => stack[Symbol.asyncDispose]());

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rds-iam-proxy-clients-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const options = ({ config }: Site) => [
  ...(config.socketPath === undefined
    ? ['--protocol=tcp', `--host=${config.host}`, `--port=${config.port}`]
    : [`--socket=${config.socketPath}`]),
  `--user=${config.user}`,
];
const environment = ({ config }: Site) =>
  ({ HOME: '/nonexistent', ...(config.password && { MYSQL_PWD: config.password }) }) as Record<string, string>;

describe.skipIf(lacks('mariadb-client'))('the command-line client', () => {
  test.each(['port', 'socket'])('at a %s: a script, a file, and an error with its number', async (at) => {
    const site = await startSite(stack, at === 'socket' ? { socketFolder: folder() } : {});
    const file = join(folder(), 'fruit');
    writeFileSync(file, 'apple\npear\n');
    const script = `
      create temporary table fruit (name text);
      load data local infile '${file}' into table fruit;
      select group_concat(name), current_user() from fruit;`;
    const args = [...options(site), '--local-infile', '--skip-column-names', stack.database];
    expect(await run('mariadb', args, { env: environment(site), input: script })).toEqual({
      exitCode: 0,
      stdout: `apple,pear\t${stack.username}@%\n`,
      stderr: '',
    });
    const failed = await run('mariadb', args, { env: environment(site), input: 'select nothing' });
    expect(failed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ERROR 1054 (42S22)') });
  });

  test.each(['mysql_native_password', 'caching_sha2_password'])('with %s as its plugin', async (plugin) => {
    const site = await startSite(stack);
    const args = [...options(site), `--default-auth=${plugin}`, '--skip-column-names', '-e', 'select 1'];
    expect(await run('mariadb', args, { env: environment(site) })).toMatchObject({ stdout: '1\n', stderr: '' });
    const wrong = await run('mariadb', args, { env: { ...environment(site), MYSQL_PWD: 'wrong' } });
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ERROR 1045 (28000)') });
  });

  test('logs in beyond a token’s life', async () => {
    holdClock();
    const site = await startSite(stack);
    for (let time = 0; time < 3; time++) {
      const args = [...options(site), '--skip-column-names', '-e', 'select current_user()'];
      expect(await run('mariadb', args, { env: environment(site) })).toMatchObject({ stdout: `${stack.username}@%\n` });
      letTokensExpire();
    }
  });
});

test.skipIf(lacks('mariadb-client'))('a dump, and restoring it', async () => {
  const site = await startSite(stack);
  const connection = await logIn({ ...site.config, multipleStatements: true });
  await connection.query(
    "create table kept (id int primary key, body text); insert into kept values (1, 'a'), (2, 'b')",
  );
  const dumped = await run('mariadb-dump', [...options(site), '--no-tablespaces', stack.database], {
    env: environment(site),
  });
  expect(dumped).toMatchObject({ exitCode: 0, stderr: '' });
  await connection.query('drop table kept');
  await run('mariadb', [...options(site), stack.database], { env: environment(site), input: dumped.stdout });
  expect(await rows(connection, 'select body from kept order by id')).toEqual([{ body: 'a' }, { body: 'b' }]);
  await connection.query('drop table kept');
});

describe('beyond a token’s life', () => {
  test('mysql2 and the mariadb connector', async () => {
    holdClock();
    const site = await startSite(stack);
    const open = await logIn(site.config);
    for (let time = 0; time < 3; time++) {
      letTokensExpire();
      const connection = await mysql.createConnection(site.config);
      await connection.end();
      const other = await mariadb.createConnection(site.config);
      await other.end();
      // An open connection stays open, and may change its user.
      const { user, password = '', database } = site.config;
      await open.changeUser({ user, password, database });
      expect(await rows(open, 'select 1 as one')).toEqual([{ one: 1 }]);
    }
  });

  const PYTHON = '/usr/bin/python3';
  test.each([
    ...(lacks('python3-pymysql') ? [] : ['pymysql']),
    // Based on MariaDB's own library.
    ...(lacks('python3-mysqldb') ? [] : ['MySQLdb']),
  ])('Python: %s', async (module) => {
    const site = await startSite(stack);
    const { host, port, user, password } = site.config;
    const program = `
import sys, ${module}
while True:
    connection = ${module}.connect(host='${host}', port=${port}, user='${user}', password='${password}', database='${stack.database}')
    cursor = connection.cursor()
    cursor.execute('select current_user()')
    print(cursor.fetchone()[0], flush=True)
    connection.close()
    if not sys.stdin.readline(): break
`;
    await loginsPastTokens(PYTHON, ['-c', program], `${stack.username}@%`);
  });

  const JDBC = '/usr/share/java/mariadb-java-client.jar';
  test.skipIf(lacks('default-jdk-headless', 'libmariadb-java'))('Java: JDBC', { timeout: 60_000 }, async () => {
    const site = await startSite(stack);
    const { host, port, user, password } = site.config;
    const program = join(folder(), 'Logins.java');
    writeFileSync(
      program,
      `import java.sql.*;
public class Logins {
  public static void main(String[] args) throws Exception {
    var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
    do {
      try (var connection = DriverManager.getConnection("jdbc:mariadb://${host}:${port}/${stack.database}", "${user}", "${password}");
           var prepared = connection.prepareStatement("select current_user() where 1 = ?")) {
        prepared.setInt(1, 1);
        var result = prepared.executeQuery();
        result.next();
        System.out.println(result.getString(1));
      }
    } while (lines.readLine() != null);
  }
}
`,
    );
    await loginsPastTokens('java', ['-cp', JDBC, program], `${stack.username}@%`);
  });

  const GOPATH = '/usr/share/gocode';
  test.skipIf(lacks('golang-go', 'golang-github-go-sql-driver-mysql-dev'))(
    'Go: go-sql-driver',
    { timeout: 180_000 },
    async () => {
      const site = await startSite(stack);
      const { host, port, user, password } = site.config;
      const at = folder();
      const program = join(at, 'logins.go');
      writeFileSync(
        program,
        `package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"

	_ "github.com/go-sql-driver/mysql"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for {
		db, err := sql.Open("mysql", "${user}:${password}@tcp(${host}:${port})/${stack.database}")
		if err != nil {
			panic(err)
		}
		var name string
		if err := db.QueryRow("select current_user() where 1 = ?", 1).Scan(&name); err != nil {
			panic(err)
		}
		fmt.Println(name)
		db.Close()
		if !lines.Scan() {
			return
		}
	}
}
`,
      );
      const env = { GO111MODULE: 'off', GOPATH, GOCACHE: join(at, 'cache'), GOFLAGS: '' };
      const built = await run('go', ['build', '-o', join(at, 'logins'), program], { env });
      expect(built).toMatchObject({ exitCode: 0, stderr: '' });
      await loginsPastTokens(join(at, 'logins'), [], `${stack.username}@%`);
    },
  );
});

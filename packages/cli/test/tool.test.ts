import { describe, expect, test } from 'vitest';
import { loginUrl } from '../src/login-url.js';
import { toolOf } from '../src/tool.js';

describe('the words of a command', () => {
  test.each([
    ['psql', 'postgres'],
    ['/usr/lib/postgresql/15/bin/pg_dump --schema-only', 'postgres'],
    ['pg_restore', 'postgres'],
    ['pgcli', 'postgres'],
    ['pgbench -S', 'postgres'],
    ['createdb shop', 'postgres'],
    ['vacuumdb', 'postgres'],
    ['npx node-pg-migrate@9 up', 'postgres'],
    ['mysql', 'mysql'],
    ['mysqldump shop', 'mysql'],
    ['mysqlsh', 'mysql'],
    ['mariadb', 'mysql'],
    ['mariadb-dump shop', 'mysql'],
    ['C:\\\\mysql.exe', 'mysql'],
    ['env LANG=C psql', 'postgres'],
    ['sudo -E mycli', 'mysql'],
    ['node server.js psql', undefined],
    ['npm run migrate', undefined],
    ['', undefined],
  ])('%s belongs to %s', (command, engine) => {
    expect(toolOf(command.split(' ')).engine).toBe(engine);
  });

  test.each([
    [['npx', 'prisma', 'migrate', 'deploy'], 'prisma-engine'],
    [['npx', '-p', 'prisma@7', 'prisma', 'migrate', 'deploy'], 'prisma-engine'],
    [['node_modules/.bin/prisma', 'db', 'push'], 'prisma-engine'],
    [['sh', '-c', 'cd app && prisma migrate deploy && npm start'], 'prisma-engine'],
    [['pnpm', 'exec', 'prisma', 'studio', '--port', '5555'], 'drivers'],
    [['npx', 'prisma', 'db', 'seed'], 'drivers'],
    [['npx', 'prisma', 'generate'], undefined],
    [['dbmate', 'up'], 'dbmate'],
    [['npx', 'dbmate', 'up'], 'dbmate'],
    [['npm', 'run', 'migrate'], undefined],
  ])('%j: the URL is for %s', (command, reader) => {
    expect(toolOf(command).urlReader).toBe(reader);
  });

  test("one URL cannot serve both Prisma's migrations and its Studio", () => {
    const both = ['sh', '-c', 'prisma migrate deploy && prisma studio'];
    expect(() => toolOf(both)).toThrow('run each with an exec of its own');
  });
});

describe('the parameters of a URL', () => {
  const login = { hostname: 'db.example', port: 5432, username: 'a b', token: 't/o?k', expiration: new Date(0) };
  const url = (request: Partial<Parameters<typeof loginUrl>[1]>) =>
    loginUrl(login, { engine: 'postgres', reader: 'drivers', database: undefined, root: undefined, ...request });

  test.each([
    [{}, 'postgresql://a%20b:t%2Fo%3Fk@db.example:5432?sslmode=verify-full'],
    [
      { reader: 'prisma-engine', root: '/tmp/a b', database: 'x' },
      'postgresql://a%20b:t%2Fo%3Fk@db.example:5432/x?sslmode=require&sslaccept=strict&sslcert=%2Ftmp%2Fa%20b',
    ],
    [
      { engine: 'mysql' },
      'mysql://a%20b:t%2Fo%3Fk@db.example:5432?ssl=%7B%22verifyIdentity%22%3Atrue%7D&enableCleartextPlugin=true#&restrictedAuth=none',
    ],
    [
      { engine: 'mysql', reader: 'dbmate' },
      'mysql://a%20b:t%2Fo%3Fk@db.example:5432?tls=true&allowCleartextPasswords=true',
    ],
  ] as const)('%j', (request, expected) => {
    expect(url(request)).toBe(expected);
  });
});

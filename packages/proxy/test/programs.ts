import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Other people's programs and libraries that tests run, by Debian package, with a file of each. */
const PROGRAMS = {
  'postgresql-client': 'psql',
  postgresql: 'pgbench',
  pgbouncer: 'pgbouncer',
  'python3-psycopg2': '/usr/lib/python3/dist-packages/psycopg2',
  'python3-pymysql': '/usr/lib/python3/dist-packages/pymysql',
  'python3-mysqldb': '/usr/lib/python3/dist-packages/MySQLdb',
  'libpostgresql-jdbc-java': '/usr/share/java/postgresql.jar',
  'libmariadb-java': '/usr/share/java/mariadb-java-client.jar',
  'default-jdk-headless': 'javac',
  'golang-go': 'go',
  'golang-github-go-sql-driver-mysql-dev': '/usr/share/gocode/src/github.com/go-sql-driver/mysql',
  'mariadb-client': 'mariadb-dump',
} as const;

/**
 * Whether this machine lacks one of these packages. A developer's machine may, and the tests are skipped; if `EVERY_PROGRAM`
 * is set, as in CI (.github/workflows/test.yml), none may be missing.
 */
export function lacks(...packages: readonly (keyof typeof PROGRAMS)[]): boolean {
  const missing = packages.filter((name) => !isThere(PROGRAMS[name]));
  if (missing.length > 0 && process.env['EVERY_PROGRAM']) {
    throw new Error(`EVERY_PROGRAM is set, and these are not installed: apt-get install ${missing.join(' ')}`);
  }
  return missing.length > 0;
}

function isThere(program: string): boolean {
  if (program.startsWith('/')) return existsSync(program);
  return `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin`
    .split(delimiter)
    .some((folder) => existsSync(join(folder, program)));
}

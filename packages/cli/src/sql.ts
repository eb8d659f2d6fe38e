import { UsageError } from './exit-code.js';
import type { Engine } from './settings.js';
import { print } from './terminal.js';

type Access = 'connect' | 'read' | 'write';

export interface Account {
  readonly engine: Engine;
  readonly username: string;
  /** If given, the user gets rights on this database. */
  readonly database?: string | undefined;
  /** @defaultValue `connect` */
  readonly access?: Access | undefined;
  /** PostgreSQL: where the tables are. */
  readonly schema: string;
}

const TABLE_RIGHTS = { read: 'SELECT', write: 'SELECT, INSERT, UPDATE, DELETE' } as const;
/** PostgreSQL truncates longer names, which could then be somebody else's. */
const LONGEST_POSTGRES_NAME_BYTES = 63;

export function sql(account: Account, { json = false }: { readonly json?: boolean }): number {
  const made = statements(account);
  print(
    json ? JSON.stringify({ engine: account.engine, statements: made }) : made.map((each) => `${each};`).join('\n'),
  );
  return 0;
}

/** The statements, without semicolons, that create an account that logs in with IAM. */
export function statements({ engine, username, database, access = 'connect', schema }: Account): string[] {
  if (database === undefined && access !== 'connect') throw new UsageError('--grant needs the --database to grant on');
  return engine === 'postgres'
    ? postgresStatements(username, database, access, schema)
    : mysqlStatements(username, database, access);
}

function postgresStatements(username: string, database: string | undefined, access: Access, schemaName: string) {
  const user = postgresName(username, '--username');
  const made = [`CREATE USER ${user} WITH LOGIN`, `GRANT rds_iam TO ${user}`];
  if (database === undefined) return made;
  made.push(`GRANT CONNECT ON DATABASE ${postgresName(database, '--database')} TO ${user}`);
  if (access === 'connect') return made;
  const schema = postgresName(schemaName, '--schema');
  const rights = TABLE_RIGHTS[access];
  made.push(
    `GRANT USAGE ON SCHEMA ${schema} TO ${user}`,
    `GRANT ${rights} ON ALL TABLES IN SCHEMA ${schema} TO ${user}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT ${rights} ON TABLES TO ${user}`,
  );
  if (access === 'write') {
    made.push(
      `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${user}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT USAGE ON SEQUENCES TO ${user}`,
    );
  }
  return made;
}

function mysqlStatements(username: string, database: string | undefined, access: Access) {
  const user = `${mysqlName(username, '--username')}@'%'`;
  const made = [
    `CREATE USER ${user} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'`,
    `ALTER USER ${user} REQUIRE SSL`,
  ];
  if (database === undefined || access === 'connect') return made;
  // In a grant, _ and % in a database's name are wildcards.
  const pattern = mysqlName(database, '--database').replace(/[\\_%]/g, '\\$&');
  return [...made, `GRANT ${TABLE_RIGHTS[access]} ON ${pattern}.* TO ${user}`];
}

/** Quotes an identifier. @throws UsageError that names the flag */
export function postgresName(name: string, flag: string): string {
  checkName(name, flag);
  if (Buffer.byteLength(name) > LONGEST_POSTGRES_NAME_BYTES) {
    throw new UsageError(`${flag} is longer than the ${LONGEST_POSTGRES_NAME_BYTES} bytes of a PostgreSQL name`);
  }
  return postgresIdentifier(name);
}

export const postgresIdentifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

function mysqlName(name: string, flag: string): string {
  checkName(name, flag);
  return mysqlIdentifier(name);
}

/** In backticks: there, unlike in quotes, no server setting gives a backslash a meaning. */
export const mysqlIdentifier = (name: string) => `\`${name.replaceAll('`', '``')}\``;

function checkName(name: string, flag: string): void {
  // A line break could end a comment or a client's command, and no account needs one.
  if (name === '' || /\p{Cc}|\p{Cs}/u.test(name)) throw new UsageError(`${flag} is empty or has a control character`);
}

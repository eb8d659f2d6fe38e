// What the server itself says, after the login, about the TLS in use and the account.

import { postgres } from '@rds-iam/core/adapter';
import type { Engine } from '../settings.js';
import { mysqlIdentifier, postgresIdentifier } from '../sql.js';
import type { Facts } from './facts.js';
import { notChecked, passed, type Step, type StepName, warned } from './step.js';

/** Runs one statement. @returns its rows, with their columns by name */
export type Query = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** The server's answers; undefined if it would not say. */
export interface ServerSeen {
  readonly version: string | undefined;
  readonly isAurora: boolean;
  /** The protocol and cipher of this connection; null if it is not encrypted. */
  readonly tls: { readonly protocol: string; readonly cipher: string } | null | undefined;
  readonly postgres?: PostgresAccount;
  /** MySQL and MariaDB: parsed from the statement that creates the account, without any password hash. */
  readonly mysql?: MysqlAccount | undefined;
}

interface PostgresAccount {
  readonly username: string | undefined;
  /** null if there is no role rds_iam. */
  readonly hasRdsIam: boolean | null | undefined;
  /** The users with both rds_superuser and rds_iam. */
  readonly masters: readonly MasterWithRdsIam[] | undefined;
}

interface MasterWithRdsIam {
  readonly name: string;
  /** The role granted to it: rds_iam, or one that is a member of it. */
  readonly through: string;
}

interface MysqlAccount {
  /** Quoted, such as `` `app`@`%` ``. */
  readonly name: string;
  readonly plugin: string | undefined;
  readonly requiresTls: boolean;
}

/** Asks for everything that any account may see. Never rejects. */
export function askServer(engine: Engine, query: Query): Promise<ServerSeen> {
  return engine === 'postgres' ? askPostgres(query) : askMysql(query);
}

async function askPostgres(query: Query): Promise<ServerSeen> {
  const ask = asking(query);
  const version = await ask(`select current_setting('server_version') as version, session_user::text as username`);
  const tls = await ask('select ssl, version, cipher from pg_stat_ssl where pid = pg_backend_pid()');
  const granted = await ask(
    `select pg_has_role(session_user, oid, 'member') as granted from pg_roles where rolname = 'rds_iam'`,
  );
  // Superusers, such as rdsadmin, are members of everything. From PostgreSQL 16 on, the creator of a role is a member of it
  // without inheriting anything, and RDS is reported to ignore such memberships.
  const masters = await ask(`
    select distinct member.rolname::text as name, via.rolname::text as through
    from (select case when current_setting('server_version_num')::int < 160000 then 'member' else 'usage' end as kind) membership,
    pg_roles master, pg_roles iam, pg_roles member
    join pg_auth_members granted on granted.member = member.oid join pg_roles via on via.oid = granted.roleid
    where master.rolname = 'rds_superuser' and iam.rolname = 'rds_iam' and member.rolcanlogin and not member.rolsuper
    and pg_has_role(member.oid, master.oid, 'member')
    and pg_has_role(member.oid, via.oid, kind) and pg_has_role(via.oid, iam.oid, kind) order by 1, 2`);
  const aurora = await ask(`select 1 as found from pg_proc where proname = 'aurora_version'`);
  const [encrypted] = tls ?? [];
  return {
    version: textOf(version?.[0]?.['version']),
    isAurora: (aurora?.length ?? 0) > 0,
    tls: tls && (encrypted?.['ssl'] === true ? tlsOf(encrypted['version'], encrypted['cipher']) : null),
    postgres: {
      username: textOf(version?.[0]?.['username']),
      hasRdsIam: granted && (granted.length === 0 ? null : granted[0]?.['granted'] === true),
      masters: masters?.map(({ name, through }) => ({ name: String(name), through: String(through) })),
    },
  };
}

async function askMysql(query: Query): Promise<ServerSeen> {
  const ask = asking(query);
  const version = await ask('select version() as version, current_user() as account');
  const status = await ask(`show session status where variable_name in ('Ssl_cipher', 'Ssl_version')`);
  const account = await ask('show create user current_user()');
  const aurora = await ask(`show variables like 'aurora_version'`);
  const values = new Map(status?.map((row) => [row['Variable_name'], textOf(row['Value']) ?? '']));
  const cipher = values.get('Ssl_cipher');
  const statement = textOf(Object.values(account?.[0] ?? {})[0]);
  return {
    version: textOf(version?.[0]?.['version']),
    isAurora: (aurora?.length ?? 0) > 0,
    tls: status && (cipher ? tlsOf(values.get('Ssl_version'), cipher) : null),
    mysql: statement === undefined ? undefined : readCreateUser(statement, textOf(version?.[0]?.['account']) ?? ''),
  };
}

/** A statement that a server does not know or allow should not prevent the others. */
function asking(query: Query) {
  return async (sql: string) => {
    try {
      return await query(sql);
    } catch {
      return undefined;
    }
  };
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);
const tlsOf = (protocol: unknown, cipher: unknown) => ({ protocol: String(protocol), cipher: String(cipher) });

/**
 * Reads `SHOW CREATE USER`, as MySQL (`IDENTIFIED WITH 'plugin'`) and MariaDB (`IDENTIFIED VIA plugin`) print it. Pure.
 *
 * @param account - as `current_user()` returns it: `app@%`
 */
export function readCreateUser(statement: string, account: string): MysqlAccount {
  const [, plugin] = /\bIDENTIFIED (?:WITH|VIA) ['"`]?(\w+)/i.exec(statement) ?? [];
  const at = account.lastIndexOf('@');
  return {
    name: `${mysqlIdentifier(account.slice(0, at))}@${mysqlIdentifier(account.slice(at + 1))}`,
    plugin: plugin ?? (/\bIDENTIFIED BY PASSWORD\b/i.test(statement) ? 'mysql_native_password' : undefined),
    requiresTls: /\bREQUIRE (?:SSL|X509|ISSUER|SUBJECT|CIPHER)\b/i.test(statement),
  };
}

export const serverOf = ({ login }: Facts): ServerSeen | undefined =>
  login && 'server' in login ? login.server : undefined;

const unseen = (step: StepName) => notChecked(step, 'it takes a login to see it');

/** Pure. */
export function judgeEncryption(facts: Facts): Step {
  const server = serverOf(facts);
  if (!server) return unseen('encryption');
  const { tls } = server;
  if (tls === undefined) return notChecked('encryption', 'the server did not say whether this connection is encrypted');
  if (tls) return passed('encryption', `the server sees this connection encrypted with ${tls.protocol}, ${tls.cipher}`);
  return warned('encryption', 'the server says that this connection is not encrypted', [
    {
      diagnosis: 'not-encrypted',
      why: 'a proxy or tunnel in between terminates TLS and goes on without it',
      fix: [{ do: 'turn on TLS from there to the database, or connect without it in between' }],
    },
  ]);
}

/** Pure. */
export function judgeAccount(facts: Facts): Step {
  const seen = serverOf(facts);
  if (!seen) return unseen('account');
  if (seen.postgres) return judgePostgresAccount(seen.postgres, facts.username);
  if (!seen.mysql) return notChecked('account', 'the server did not show how the account is identified');
  const { name, plugin, requiresTls } = seen.mysql;
  const how = `${name} is identified with ${plugin ?? 'nothing'}`;
  if (plugin?.toLowerCase() !== 'awsauthenticationplugin') {
    return warned('account', how, [
      {
        diagnosis: 'missing-grant',
        why: 'the account is not an IAM account: something in between (RDS Proxy, the emulator) let this login in',
        fix: [{ sql: `ALTER USER ${name} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';` }],
      },
    ]);
  }
  if (requiresTls) return passed('account', `${how} and requires TLS`);
  return warned('account', `${how}, and does not require TLS`, [
    {
      diagnosis: 'plaintext-allowed',
      why: 'a misconfigured client could send its token in plain text',
      fix: [{ sql: `ALTER USER ${name} REQUIRE SSL;` }],
    },
  ]);
}

function judgePostgresAccount({ username: sessionUser, hasRdsIam }: PostgresAccount, username: string): Step {
  const user = sessionUser ?? username;
  if (hasRdsIam === undefined) return notChecked('account', 'the server did not show the roles');
  if (hasRdsIam) return passed('account', `"${user}" is a member of rds_iam`);
  const seen = hasRdsIam === null ? 'the server has no role rds_iam' : `"${user}" ${postgres.account.isNone}`;
  return warned('account', seen, [
    {
      diagnosis: 'missing-grant',
      why: `${seen}: something in between (RDS Proxy, the emulator) let this login in`,
      fix: [{ sql: `GRANT rds_iam TO ${postgresIdentifier(user)};` }],
    },
  ]);
}

/** Whether a master user can no longer use its password, which only happens on PostgreSQL. Pure. */
export function judgeMaster(facts: Facts): Step | undefined {
  if (facts.engine !== 'postgres') return undefined;
  const server = serverOf(facts);
  if (!server) return unseen('master');
  const { masters } = server.postgres ?? {};
  if (masters === undefined) return notChecked('master', 'the server did not show the roles');
  const [first] = masters;
  if (first === undefined)
    return passed('master', 'no member of rds_superuser has rds_iam: passwords still work for them');
  const names = [...new Set(masters.map(({ name }) => postgresIdentifier(name)))].join(', ');
  return warned('master', `${names}: a member of rds_superuser and of rds_iam`, [
    {
      diagnosis: 'master-has-rds-iam',
      why: `with rds_iam, ${postgresIdentifier(first.name)} can log in only with IAM: its password no longer works, nor do the programs that use it`,
      fix: masters.map(({ name, through }) => ({
        sql: `REVOKE ${through === 'rds_iam' ? through : postgresIdentifier(through)} FROM ${postgresIdentifier(name)};`,
      })),
    },
  ]);
}

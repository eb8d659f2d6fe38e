// SQL in the documentation, run on a real server with RDS's additions, and undone afterwards.
import type { Block } from './markdown.js';
import { PASSWORD, type PretendedRds } from './rds.js';

/** Runs the statements of a block as a superuser, in the database `shop`. */
export async function runSql({ code, words }: Block, { servers }: PretendedRds): Promise<void> {
  const [engine = ''] = words;
  const server = servers[engine];
  if (!server) throw new Error('say which engine the SQL is for: ```sql postgres, or ```sql mysql');
  const admin = await server.connectAsSuperuser('shop');
  const made = namesMade(code);
  try {
    if (engine === 'postgres') {
      await admin.query('begin');
      for (const name of made)
        await admin.query(
          `do $$ begin alter role ${name} rename to before_${name}; exception when undefined_object then null; end $$`,
        );
      await admin.query(code);
      await admin.query('rollback');
      return;
    }
    for (const name of made) await admin.query(`rename user ${name}@'%' to before_${name}@'%'`).catch(() => {});
    try {
      for (const statement of code.split(/;$/m).map((each) => each.trim())) {
        if (statement) await admin.query(withoutPlugin(statement));
      }
    } finally {
      for (const name of made) {
        await admin.query(`drop user if exists ${name}@'%'`);
        await admin.query(`rename user before_${name}@'%' to ${name}@'%'`).catch(() => {});
      }
    }
  } finally {
    await admin.end();
  }
}

/** Only RDS has its plugin: an account with a password stands in for one with it. */
const withoutPlugin = (statement: string) =>
  statement.replace(/IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'/i, `IDENTIFIED BY '${PASSWORD}'`);

const namesMade = (code: string) =>
  [...code.matchAll(/\bcreate (?:user|role) ["`']?(\w+)/gi)].map(([, name = '']) => name);

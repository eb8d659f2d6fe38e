import type { Engine } from '../settings.js';
import { shellWord } from '../shell-word.js';

/** How to log in to an emulator. Its access key is not a real one. */
export interface ConnectionSettings {
  readonly engine: Engine;
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly region: string;
  readonly caFile: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The settings for a shell and for each framework, ready to copy. */
export function describeConnection(connection: ConnectionSettings): string {
  const { engine, hostname, port, username, database, region, caFile, accessKeyId, secretAccessKey } = connection;
  const mysql = engine === 'mysql';
  const scheme = mysql ? 'mysql' : 'postgresql';
  const url = `${scheme}://${encodeURIComponent(username)}@${hostname}:${port}/${encodeURIComponent(database)}`;
  const at = `host: '${hostname}', port: ${port}`;
  const named = (user: string) => `${at}, ${user}: ${js(username)}, database: ${js(database)}`;
  return [
    '# for a shell, and for the AWS SDK',
    // A profile would take precedence over the key, and a session token would belong to another key.
    'unset AWS_PROFILE AWS_SESSION_TOKEN',
    `export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_REGION=${region}`,
    `npx rds-iam exec --ca ${shellWord(caFile)} ${shellWord(url)} -- ${mysql ? 'mariadb' : 'psql'}`,
    '',
    "// for all that follows; import { readFileSync } from 'node:fs'",
    `const iam = { region: '${region}', ca: readFileSync(${js(caFile)}, 'utf8') };`,
    ...(mysql
      ? [
          ...['// @rds-iam/mysql2/promise', `createPool({ ${named('user')}, iam });`],
          ...['// @rds-iam/mysql2/mariadb', `createPool({ ${named('user')}, iam });`],
        ]
      : [
          ...['// @rds-iam/pg', `new Pool({ ${named('user')}, iam });`],
          ...['// @rds-iam/pg/postgres-js', `postgres(withRdsIam({ ${named('user')}, iam }));`],
        ]),
    '// @rds-iam/knex',
    `knex(withRdsIam({ client: '${mysql ? 'mysql2' : 'pg'}', connection: { ${named('user')} }, iam }));`,
    '// @rds-iam/typeorm',
    `new DataSource(withRdsIam({ type: '${engine}', ${named('username')}, iam }));`,
    '// @rds-iam/sequelize',
    `new Sequelize(withRdsIam({ dialect: '${engine}', ${named('username')}, iam }));`,
    '// @rds-iam/prisma',
    `createRdsIamAdapter({ provider: '${mysql ? 'mysql' : 'postgresql'}', ${named('user')}, iam });`,
  ].join('\n');
}

const js = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRdsIam, type RdsIam } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { makeShop, startMariadb, startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import { CREDENTIALS, REGION, UNLIMITED } from './login.js';

/** A database that accepts one of our tokens as a static password, so that both ways to it send the same bytes. */
export interface BenchDatabase extends AsyncDisposable {
  readonly engine: 'postgres' | 'mysql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly iam: RdsIam;
  /** That is good for a quarter of an hour from now. */
  password(): Promise<string>;
  readonly ca: string;
}

/** A PostgreSQL over TLS, with the token as the role's password. */
export async function startPostgresDatabase(): Promise<BenchDatabase> {
  const authority = await createCertificateAuthority();
  const { ca } = authority;
  const server = await startPostgres({
    tls: await authority.issue({ hostnames: ['127.0.0.1'] }),
    hba: ['hostssl all all 127.0.0.1/32 password'],
    // The server's part of a login is the same for both: the smaller it is, the more the clients' part shows.
    settings: { scram_iterations: '1' },
  });
  const { hostname: host, port } = server;
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca });
  const { token: password } = await iam.getToken({ hostname: host, port, username: 'app' });
  const superuser = await server.connectAsSuperuser();
  await superuser.query(`CREATE ROLE app LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
  await superuser.end();
  return {
    engine: 'postgres',
    host,
    port,
    user: 'app',
    database: 'postgres',
    iam,
    password: async () => password,
    ca,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** A MariaDB, with the emulator in front of it in a separate process. */
export async function startMysqlDatabase(): Promise<BenchDatabase> {
  const server = await startMariadb();
  await makeShop(server);
  const emulator = fork(new URL('./emulator-process.mjs', import.meta.url));
  emulator.send({
    engine: 'mysql',
    upstream: { hostname: server.hostname, port: server.port },
    region: REGION,
    accessKeys: [CREDENTIALS],
  });
  const [{ port, ca }] = (await once(emulator, 'message')) as [{ port: number; ca: string }];
  const host = '127.0.0.1';
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca, maxConnectionsPerSecond: UNLIMITED });
  return {
    engine: 'mysql',
    host,
    port,
    user: 'app',
    database: 'shop',
    iam,
    password: async () => (await iam.getToken({ hostname: host, port, username: 'app' })).token,
    ca,
    async [Symbol.asyncDispose]() {
      emulator.disconnect();
      await once(emulator, 'exit');
      await server.close();
    },
  };
}

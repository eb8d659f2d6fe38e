import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRdsIam } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { createPool } from '@rds-iam/mysql2/promise';
import { makeShop, startMariadb } from '@rds-iam/test-servers';
import mysql2, { type Pool } from 'mysql2/promise';
import { CREDENTIALS, REGION, UNLIMITED } from './login.js';

/** A MariaDB, the emulator in front of it in a separate process, and three ways to connect. */
export interface MysqlBench extends AsyncDisposable {
  /** Through our package and the emulator. */
  ours(): Pool;
  /** Through mysql2 alone and the emulator: the token is a static password, so that the logins are the same. */
  plain(): Pool;
  /** Through mysql2 alone to the database itself, also over TLS. */
  direct(): Pool;
  /** The peak memory of the emulator's process, in bytes. */
  emulatorPeakRssBytes(): Promise<number>;
}

export async function startMysqlBench(poolSize: number): Promise<MysqlBench> {
  const authority = await createCertificateAuthority();
  const server = await startMariadb({ tls: await authority.issue({ hostnames: ['localhost', '127.0.0.1'] }) });
  await makeShop(server);

  const emulator = fork(new URL('./emulator-process.mjs', import.meta.url));
  const answer = async <T>() => ((await once(emulator, 'message')) as [T])[0];
  emulator.send({
    engine: 'mysql',
    upstream: { hostname: server.hostname, port: server.port },
    region: REGION,
    accessKeys: [CREDENTIALS],
  });
  const { port, ca } = await answer<{ port: number; ca: string }>();
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca, maxConnectionsPerSecond: UNLIMITED });
  const { token } = await iam.getToken({ hostname: '127.0.0.1', port, username: 'app' });

  const config = { host: '127.0.0.1', user: 'app', database: 'shop', connectionLimit: poolSize };
  const ssl = { ca, verifyIdentity: true };
  return {
    ours: () => createPool({ ...config, port, iam }),
    plain: () => mysql2.createPool({ ...config, port, ssl, password: token, enableCleartextPlugin: true }),
    direct: () => mysql2.createPool({ ...config, port: server.port, ssl: { ca: authority.ca, verifyIdentity: true } }),
    async emulatorPeakRssBytes() {
      emulator.send(['memory']);
      return (await answer<{ peakRssBytes: number }>()).peakRssBytes;
    },
    async [Symbol.asyncDispose]() {
      emulator.disconnect();
      await once(emulator, 'exit');
      await server.close();
    },
  };
}

// Provokes each error code of core for real: with options, the emulator, the database or the DNS.
import dns from 'node:dns/promises';
import { Socket } from 'node:net';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { createRdsIam, Pool, type RdsIamErrorCode, type RdsIamOptions } from '@rds-iam/pg';
import {
  CREDENTIALS as credentials,
  type DnsServer,
  type PostgresServer,
  setAwsEnvironment,
  startDns,
  startPostgres,
} from '@rds-iam/test-servers';

/** With IAM, that is. */
type Iam = Omit<RdsIamOptions, 'enabled'>;

const quick = { timeoutMs: 2_000, baseDelayMs: 1, maxDelayMs: 1 };
const hostname = 'mydb.abc123.eu-west-1.rds.amazonaws.com';

/** How to provoke an error with each code, for the endpoint and user in the documentation. */
export interface Trouble extends AsyncDisposable {
  readonly provoke: Readonly<Record<RdsIamErrorCode, () => Promise<unknown>>>;
}

export async function makeTrouble(): Promise<Trouble> {
  const server: PostgresServer = await startPostgres();
  const admin = await server.connectAsSuperuser();
  await admin.query('create role app login; create role crowded login connection limit 0');
  await admin.query('create database shop');
  await admin.end();
  const resolver: DnsServer = await startDns();
  resolver.cname('db.example.com', 'db2.example.com');
  resolver.cname('db2.example.com', 'db.example.com');
  resolver.empty('database.internal');
  const restoreAwsEnvironment = setAwsEnvironment();
  const servers = dns.getServers();
  dns.setServers([resolver.address]);
  const emulator: Emulator = await startEmulator({
    upstream: { hostname: server.hostname, port: server.port },
    region: 'eu-west-1',
    accessKeys: [credentials],
    hostnames: [hostname],
    tokenPort: 5432,
  });
  /** For pg to dial with: every name leads to this machine. */
  const dialing = (port: number) => () => {
    const socket = new Socket();
    const connect = socket.connect.bind(socket);
    return Object.assign(socket, { connect: () => connect(port, '127.0.0.1') });
  };

  const known: Iam = { credentials, ca: emulator.ca, retry: quick };
  const at = (iam: Iam, more = {}) =>
    new Pool({ host: hostname, user: 'app', database: 'shop', stream: dialing(emulator.port), ...more, iam });
  const failureOf = async (pool: Pool) => {
    try {
      return await pool.query('select 1');
    } finally {
      await pool.end();
    }
  };
  const token = (host: string, iam: Iam, signal?: AbortSignal) =>
    createRdsIam(iam).getToken({ hostname: host, port: 5432, username: 'app' }, { ...(signal && { signal }) });

  return {
    provoke: {
      ERR_RDS_IAM_CONFIG: async () => failureOf(at(known, { ssl: { rejectUnauthorized: false } })),
      ERR_RDS_IAM_REGION: () => token('database.internal', { credentials }),
      ERR_RDS_IAM_ENDPOINT: () => token('db.example.com', { credentials }),
      ERR_RDS_IAM_CREDENTIALS: () => token(hostname, {}),
      ERR_RDS_IAM_SIGNING: () =>
        token(hostname, { credentials: async () => ({ ...credentials, secretAccessKey: 42 as never }) }),
      async ERR_RDS_IAM_TLS() {
        emulator.setFaults({ tls: 'other-ca' });
        return failureOf(at(known)).finally(() => emulator.setFaults({}));
      },
      // Nothing answers at port 9 on loopback.
      ERR_RDS_IAM_UNREACHABLE: () => failureOf(at(known, { stream: dialing(9) })),
      ERR_RDS_IAM_REFUSED: () => failureOf(at({ ...known, credentials: { ...credentials, accessKeyId: 'AKIDOTHER' } })),
      async ERR_RDS_IAM_THROTTLED() {
        const pool = at(known, { max: 2 });
        const first = await pool.connect();
        emulator.setFaults({ revokedAccessKeys: [credentials.accessKeyId] });
        try {
          return await pool.query('select 1');
        } finally {
          emulator.setFaults({});
          first.release();
          await pool.end();
        }
      },
      async ERR_RDS_IAM_ADMISSION() {
        const pool = at({ ...known, maxConnectionsPerSecond: 1, maxWaitingConnections: 0 }, { max: 3 });
        const wanted = [1, 2, 3].map(() => pool.query('select pg_sleep(0.1)'));
        try {
          return await Promise.all(wanted);
        } finally {
          await Promise.allSettled(wanted);
          await pool.end();
        }
      },
      ERR_RDS_IAM_TOO_MANY_CONNECTIONS: () => failureOf(at(known, { user: 'crowded' })),
      ERR_RDS_IAM_LOGIN: () => failureOf(at(known, { database: 'shoop' })),
      ERR_RDS_IAM_ABORTED: () => token(hostname, { credentials }, AbortSignal.abort()),
    },
    async [Symbol.asyncDispose]() {
      restoreAwsEnvironment();
      dns.setServers(servers);
      await emulator.close();
      await server.close();
      await resolver.close();
    },
  };
}

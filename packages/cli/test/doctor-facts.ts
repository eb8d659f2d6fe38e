// The doctor's facts about a successful login, for tests to change.
import { AwsError } from '../src/aws-call.js';
import type { Facts } from '../src/doctor/facts.js';

export const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';

export const WELL: Facts = {
  ...{ engine: 'postgres', hostname: HOST, port: 5432, username: 'app', database: 'shop' },
  ...{ profile: undefined, regionFlag: undefined, dial: undefined, caFile: undefined },
  ...{ ca: [], timeoutMs: 5_000, longerMs: 10_000 },
  name: { chain: [], followed: HOST, addresses: ['10.0.12.34'] },
  region: 'eu-west-1',
  credentials: { identity: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'hidden' } },
  identity: { answer: { account: '123456789012', arn: 'arn:aws:iam::123456789012:user/app' } },
  skewMs: 0,
  tcp: { address: '10.0.12.34', tookMs: 3 },
  tls: {
    offered: true,
    handshake: {
      ...{ protocol: 'TLSv1.3', chainError: undefined, nameError: undefined },
      ...{ chain: [HOST, 'Amazon RDS eu-west-1 Root CA RSA2048 G1'], validTo: '2027-06-30' },
    },
  },
  described: {
    database: {
      ...{
        kind: 'instance',
        identifier: 'mydb',
        resourceId: 'db-ABC',
        arn: `arn:aws:rds:eu-west-1:123456789012:db:mydb`,
      },
      ...{ region: 'eu-west-1', accountId: '123456789012', engine: 'postgres', engineVersion: '16.4' },
      ...{ status: 'available', iamEnabled: true, pendingIamEnabled: undefined, otherPending: [] },
      ...{ maintenanceWindow: undefined, masterUsername: 'master', memberIdentifier: undefined },
      logExports: ['iam-db-auth-error'],
    },
  },
  decision: { answer: { decision: 'allowed', policies: [], byOrganization: true, byBoundary: true } },
  login: {
    tookMs: 12,
    server: {
      ...{ version: '16.4', isAurora: false, tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' } },
      postgres: { username: 'app', hasRdsIam: true, masters: [] },
    },
  },
  log: { answer: [] },
};

/** {@link WELL}, except that the login failed like this. */
export const failedBy = (error: unknown): Facts => ({ ...WELL, login: { error } });

/** {@link WELL}, with other answers from RDS about the database. */
export function described(changes: Readonly<Record<string, unknown>>): Facts {
  if (!('database' in WELL.described)) throw new Error('it is described');
  return { ...WELL, described: { database: { ...WELL.described.database, ...changes } } };
}

/** {@link WELL}, with other answers from the server. */
export function told(changes: Readonly<Record<string, unknown>>): Facts {
  if (!WELL.login || !('server' in WELL.login)) throw new Error('it is logged in');
  return { ...WELL, login: { ...WELL.login, server: { ...WELL.login.server, ...changes } } };
}

export const refusedByAws = (code: ConstructorParameters<typeof AwsError>[0], awsCode: string) => ({
  error: new AwsError(code, `AWS said ${awsCode}`, { action: 'x:Y', awsCode, cause: new Error('no') }),
});

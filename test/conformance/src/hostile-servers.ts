import type { RdsIamErrorCode } from '@rds-iam/core';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { type MysqlManner, startRecordingMysql } from './recording-mysql.js';
import { type PostgresManner, startRecordingPostgres } from './recording-postgres.js';
import type { RecordingServer } from './recording-server.js';
import type { Engine } from './stack.js';

/** A server that must not get a token. */
export interface HostileServer {
  /** Whether it sends everything in clear. */
  readonly inClear: boolean;
  /** The error of a login. */
  readonly error: { readonly code: RdsIamErrorCode; readonly attempts?: number };
  /** Starts the server for clients that trust this authority. */
  start(authority: CertificateAuthority): Promise<RecordingServer>;
}

type Certificate = { readonly cert: string; readonly key: string };

/** A server with this certificate, which the client may trust. */
export const startWithTls: Readonly<Record<Engine, (certificate: Certificate) => Promise<RecordingServer>>> = {
  postgres: startRecordingPostgres,
  mysql: startRecordingMysql,
};

/** A token in the bytes that a server received. */
export const TOKEN = /Action=connect.*?X-Amz-Signature=[0-9a-f]{64}/;
/** A part of a token. */
export const PART_OF_TOKEN = /X-Amz|Action=connect/;

const NO_TLS = { code: 'ERR_RDS_IAM_TLS', attempts: 1 } as const;
const NO_LOGIN = { code: 'ERR_RDS_IAM_LOGIN', attempts: 1 } as const;

const postgresInClear = (manner: PostgresManner & string, error: HostileServer['error']) => ({
  [manner]: { inClear: true, error, start: () => startRecordingPostgres(manner) },
});

const mysqlInClear = (manner: MysqlManner & string, error: HostileServer['error']) => ({
  [manner]: { inClear: true, error, start: () => startRecordingMysql(manner) },
});

const IN_CLEAR: Readonly<Record<Engine, Readonly<Record<string, HostileServer>>>> = {
  postgres: {
    ...postgresInClear('has no TLS', NO_TLS),
    ...postgresInClear('says yes to TLS and goes on in clear', NO_TLS),
    // It may have been a server that was shutting down.
    ...postgresInClear('asks for the password before anything else', { code: 'ERR_RDS_IAM_TLS' }),
  },
  mysql: {
    ...mysqlInClear('has no TLS', NO_TLS),
    ...mysqlInClear('offers TLS and goes on in clear', NO_TLS),
    ...mysqlInClear('asks for the password before anything else', NO_LOGIN),
    ...mysqlInClear('asks for the password within its greeting', NO_LOGIN),
  },
};

/** By what they do, as in "a server that has no TLS". Clients must dial `localhost` or 127.0.0.1. */
export function hostileServers(engine: Engine): Readonly<Record<string, HostileServer>> {
  const hostnames = ['localhost', '127.0.0.1'];
  const withTls = (issue: (authority: CertificateAuthority) => Promise<Certificate>): HostileServer => ({
    ...{ inClear: false, error: NO_TLS },
    start: async (authority) => startWithTls[engine](await issue(authority)),
  });
  return {
    ...IN_CLEAR[engine],
    'has a certificate of another CA': withTls(async () => (await createCertificateAuthority()).issue({ hostnames })),
    'has a certificate for another name': withTls((authority) => authority.issue({ hostnames: ['other.example.com'] })),
    'has an expired certificate': withTls((authority) =>
      authority.issue({ hostnames, notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') }),
    ),
  };
}

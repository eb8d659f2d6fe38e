// How PostgreSQL words a refusal: psql shows the message, the detail and the hint.
import type { RdsIamError, RdsIamErrorCode } from '@rds-iam/core';
import type { Refusal, RefusalReason } from '../refusal.js';
import { encodeError } from './protocol.js';

const SQLSTATES: Readonly<Record<Exclude<RefusalReason, 'server'>, string>> = {
  protocol: '08P01',
  plaintext: '28000',
  password: '28P01',
  user: '28000',
  database: '28000',
  'too-many-connections': '53300',
  draining: '57P01',
  timeout: '57014',
  'crowded-out': '53300',
  internal: 'XX000',
};

/** Where the server has given none. */
const SERVER_SQLSTATES: Readonly<Partial<Record<RdsIamErrorCode, string>>> = {
  ERR_RDS_IAM_CONFIG: '28000',
  ERR_RDS_IAM_REGION: '28000',
  ERR_RDS_IAM_CREDENTIALS: '28000',
  ERR_RDS_IAM_SIGNING: '28000',
  ERR_RDS_IAM_REFUSED: '28000',
  ERR_RDS_IAM_ADMISSION: '53300',
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: '53300',
};
const CANNOT_CONNECT = '08001';

export function errorResponse(refusal: Refusal): Buffer {
  const { serverError, reason, message, hint } = refusal;
  const fatal = { S: 'FATAL', V: 'FATAL' };
  if (!serverError) {
    return encodeError({ ...fatal, C: reason === 'server' ? CANNOT_CONNECT : SQLSTATES[reason], M: message, H: hint });
  }
  const said = serverSaid(serverError);
  // What has nothing to do with IAM is the server's to say, as that a database does not exist.
  if (serverError.code === 'ERR_RDS_IAM_LOGIN' && said) {
    return encodeError({ ...fatal, C: said.code, M: said.message, D: said.detail, H: said.hint });
  }
  const sqlState = said?.code ?? SERVER_SQLSTATES[serverError.code] ?? CANNOT_CONNECT;
  return encodeError({ ...fatal, C: sqlState, M: `rds-iam proxy: ${message}`, H: hint });
}

interface ServerSaid {
  readonly code: string;
  readonly message: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
}

/** An ErrorResponse of the server's behind an error. */
function serverSaid({ cause }: RdsIamError): ServerSaid | undefined {
  if (!(cause instanceof Error) || cause.name !== 'PostgresError') return undefined;
  const { code, message, detail, hint } = cause as Error & Partial<ServerSaid>;
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? { code, message, detail, hint } : undefined;
}

// How PostgreSQL words a refusal: psql shows the message, the detail and the hint.

import type { RdsIamError, RdsIamErrorCode } from '@rds-iam/core';
import { ErrorField, encodeErrorResponse } from '@rds-iam/wire/postgres';
import type { Refusal, RefusalReason } from '../refusal.js';

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

/** For errors without a server's SQLSTATE. */
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

export function errorResponse({ serverError, reason, message, hint }: Refusal): Buffer {
  if (!serverError) return fatal({ code: reason === 'server' ? CANNOT_CONNECT : SQLSTATES[reason], message, hint });
  const said = serverSaid(serverError);
  // If it has nothing to do with IAM, pass on the server's error, such as that a database does not exist.
  if (serverError.code === 'ERR_RDS_IAM_LOGIN' && said) return fatal(said);
  const code = said?.code ?? SERVER_SQLSTATES[serverError.code] ?? CANNOT_CONNECT;
  return fatal({ code, message: `rds-iam proxy: ${message}`, hint });
}

function fatal({ code, message, detail, hint }: ServerSaid): Buffer {
  const fields: readonly (readonly [string, string | undefined])[] = [
    [ErrorField.localizedSeverity, 'FATAL'],
    [ErrorField.severity, 'FATAL'],
    [ErrorField.sqlState, code],
    [ErrorField.message, message],
    [ErrorField.detail, detail],
    [ErrorField.hint, hint],
  ];
  // A null byte would end the field.
  const given = fields.flatMap(([letter, text]) => (text ? [[letter, text.replaceAll('\0', ' ')] as const] : []));
  return encodeErrorResponse(new Map(given));
}

interface ServerSaid {
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** The server's ErrorResponse in the causes of an error. */
function serverSaid({ cause }: RdsIamError): ServerSaid | undefined {
  if (!(cause instanceof Error) || cause.name !== 'PostgresError') return undefined;
  const { code, message, detail, hint } = cause as Error & Partial<ServerSaid>;
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? { code, message, detail, hint } : undefined;
}

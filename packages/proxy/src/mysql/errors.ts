// How MySQL words a refusal: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
import type { RdsIamError, RdsIamErrorCode } from '@rds-iam/core';
import { decodeError, type ErrorReport, encodeError } from '@rds-iam/wire/mysql';
import type { Refusal, RefusalReason } from '../refusal.js';

type Code = Pick<ErrorReport, 'code' | 'sqlState'>;

const ACCESS_DENIED: Code = { code: 1045, sqlState: '28000' };
const TOO_MANY: Code = { code: 1040, sqlState: '08004' };
const UNREACHABLE: Code = { code: 1158, sqlState: '08S01' };

const CODES: Readonly<Record<Exclude<RefusalReason, 'server'>, Code>> = {
  protocol: { code: 1043, sqlState: '08S01' },
  plaintext: { code: 3159, sqlState: 'HY000' },
  password: ACCESS_DENIED,
  user: ACCESS_DENIED,
  database: { code: 1044, sqlState: '42000' },
  'too-many-connections': TOO_MANY,
  draining: { code: 1053, sqlState: '08S01' },
  timeout: { code: 1159, sqlState: '08S01' },
  'crowded-out': TOO_MANY,
  internal: { code: 1105, sqlState: 'HY000' },
};

/** For errors without a server's code. */
const SERVER_CODES: Readonly<Partial<Record<RdsIamErrorCode, Code>>> = {
  ERR_RDS_IAM_CONFIG: ACCESS_DENIED,
  ERR_RDS_IAM_REGION: ACCESS_DENIED,
  ERR_RDS_IAM_CREDENTIALS: ACCESS_DENIED,
  ERR_RDS_IAM_SIGNING: ACCESS_DENIED,
  ERR_RDS_IAM_REFUSED: ACCESS_DENIED,
  ERR_RDS_IAM_ADMISSION: TOO_MANY,
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: TOO_MANY,
};

/** The payload of an ERR packet. */
export function errorPacket({ serverError, reason, message, hint }: Refusal): Buffer {
  const text = hint === undefined ? message : `${message}. ${hint}`;
  if (!serverError) return encodeError({ ...(reason === 'server' ? UNREACHABLE : CODES[reason]), message: text });
  const said = serverSaid(serverError);
  // If it has nothing to do with IAM, pass on the server's error, such as that a database does not exist.
  if (serverError.code === 'ERR_RDS_IAM_LOGIN' && said) return encodeError(said);
  const { code, sqlState } = said ?? SERVER_CODES[serverError.code] ?? UNREACHABLE;
  return encodeError({ code, sqlState, message: `rds-iam proxy: ${text}` });
}

/** The server's ERR packet as an error. */
export class ServerError extends Error {
  override readonly name = 'MysqlServerError';
  readonly errno: number;
  readonly sqlState: string;

  /** @param payload - the packet's payload */
  constructor(payload: Buffer) {
    const { code, sqlState, message } = decodeError(payload);
    super(message);
    this.errno = code;
    this.sqlState = sqlState;
  }
}

function serverSaid({ cause }: RdsIamError): ErrorReport | undefined {
  if (!(cause instanceof ServerError)) return undefined;
  return { code: cause.errno, sqlState: cause.sqlState || 'HY000', message: cause.message };
}

import { encodeMessage } from './message.js';

/** The fields of an ErrorResponse of severity FATAL. */
export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly file: string;
  readonly line: number;
  readonly routine: string;
}

/** An ErrorResponse of severity FATAL, its fields in PostgreSQL's order. */
export function encodeError(report: ErrorReport): Buffer {
  const fields = [
    'SFATAL',
    'VFATAL',
    `C${report.code}`,
    `M${report.message}`,
    ...(report.detail === undefined ? [] : [`D${report.detail}`]),
    `F${report.file}`,
    `L${report.line}`,
    `R${report.routine}`,
  ];
  return encodeMessage('E', Buffer.from(`${fields.join('\0')}\0\0`));
}

/** The SQLSTATE of an ErrorResponse's body. */
export function sqlState(body: Buffer): string | undefined {
  return body
    .toString('latin1')
    .split('\0')
    .find((field) => field.startsWith('C'))
    ?.slice(1);
}

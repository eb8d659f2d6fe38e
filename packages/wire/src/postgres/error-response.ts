// https://www.postgresql.org/docs/current/protocol-error-fields.html
import { encodeMessage, MessageType } from './message.js';

/** The fields of an ErrorResponse or a NoticeResponse by their letter, in the order of the message. */
export type ErrorFields = ReadonlyMap<string, string>;

/** The letters of the fields. */
export const ErrorField = {
  /** The severity in the server's language. */
  localizedSeverity: 'S',
  severity: 'V',
  sqlState: 'C',
  message: 'M',
  detail: 'D',
  hint: 'H',
  where: 'W',
  file: 'F',
  line: 'L',
  routine: 'R',
} as const;

/** Encodes an ErrorResponse. */
export function encodeErrorResponse(fields: ErrorFields): Buffer {
  const text = [...fields].map(([letter, value]) => `${letter}${value}\0`).join('');
  return encodeMessage(MessageType.error, Buffer.from(`${text}\0`));
}

/** Decodes the body of an ErrorResponse or a NoticeResponse. If it is truncated, returns the fields before that. */
export function decodeErrorFields(body: Buffer): ErrorFields {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at);
    if (end === -1) break;
    fields.set(body.toString('latin1', at, at + 1), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return fields;
}

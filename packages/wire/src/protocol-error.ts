/**
 * What is wrong with a message:
 * - `length`: it declares a length that it cannot have, or that is above the maximum of its reader
 * - `layout`: its contents are not laid out as the protocol has them, or end early
 * - `sequence`: a MySQL packet does not have the sequence number that is next
 * - `version`: it is of a version of the protocol that is not spoken here
 * - `encoding`: a name in it is not UTF-8
 */
export type ProtocolErrorKind = 'length' | 'layout' | 'sequence' | 'version' | 'encoding';

/** The other side broke the protocol. The message describes the break and repeats nothing of what was sent. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly kind: ProtocolErrorKind;

  constructor(kind: ProtocolErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The other side closed the connection before it had said what was awaited. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';

  /** @param cause - the error of the socket, if it did not close in peace */
  constructor(cause?: unknown) {
    super('the connection was closed', cause === undefined ? {} : { cause });
  }
}

/** Whether something was thrown because the other side broke the protocol, whichever copy of this package threw it. */
export const isProtocolError = (error: unknown): error is ProtocolError =>
  error instanceof Error && error.name === 'ProtocolError' && 'kind' in error;

/** Whether something was thrown because the other side closed the connection. */
export const isConnectionEnded = (error: unknown): error is ConnectionEnded =>
  error instanceof Error && error.name === 'ConnectionEnded';

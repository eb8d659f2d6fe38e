/**
 * What is wrong with a message:
 * - `length`: it declares a length that it cannot have, or that is over the reader's maximum
 * - `layout`: its contents do not have the protocol's layout, or end early
 * - `sequence`: a MySQL packet does not have the next sequence number
 * - `version`: it belongs to an unsupported version of the protocol
 * - `encoding`: a name in it is not UTF-8
 */
export type ProtocolErrorKind = 'length' | 'layout' | 'sequence' | 'version' | 'encoding';

/** The other side broke the protocol. The message says how, without repeating anything that was sent. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly kind: ProtocolErrorKind;

  constructor(kind: ProtocolErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The other side closed the connection before it had sent what was expected. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';

  /** @param cause - the socket's error, if it did not close cleanly */
  constructor(cause?: unknown) {
    super('the connection was closed', cause === undefined ? {} : { cause });
  }
}

/** Whether an error means that the other side broke the protocol, from any copy of this package. */
export const isProtocolError = (error: unknown): error is ProtocolError =>
  error instanceof Error && error.name === 'ProtocolError' && 'kind' in error;

/** Whether an error means that the other side closed the connection. */
export const isConnectionEnded = (error: unknown): error is ConnectionEnded =>
  error instanceof Error && error.name === 'ConnectionEnded';

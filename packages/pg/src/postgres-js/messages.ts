import type { Readable } from 'node:stream';
import { LoginFailure, LoginReader } from '@rds-iam/core/adapter';

// The few messages that a login consists of. Layouts: https://www.postgresql.org/docs/current/protocol-message-formats.html

/** What a server may say in a login, and a driver to begin it: far more than any does, far less than a hostile one could. */
const MAX_LENGTH = 262_144;
const CANCEL_REQUEST = 80_877_102;

/** The request for TLS. */
export const SSL_REQUEST: Buffer = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** The types of messages, by their first byte. */
export const TYPE = {
  authentication: 'R',
  error: 'E',
  readyForQuery: 'Z',
  notice: 'N',
  parameterStatus: 'S',
  backendKeyData: 'K',
  negotiateProtocolVersion: 'v',
} as const;

/** What an Authentication message asks for; anything else is for passwords that a server has stored. */
export const AUTHENTICATION = { ok: 0, cleartextPassword: 3 } as const;

export const typeOf = (message: Buffer): string => String.fromCharCode(message[0] ?? 0);

export const authenticationWanted = (message: Buffer): number => (message.length < 9 ? -1 : message.readUInt32BE(5));

export const isCancelRequest = (packet: Buffer): boolean =>
  packet.length === 16 && packet.readUInt32BE(4) === CANCEL_REQUEST;

export function passwordMessage(password: string): Buffer {
  const body = Buffer.from(`${password}\0`);
  const header = Buffer.from('p\0\0\0\0');
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

/** The fields of an ErrorResponse, under the names that postgres.js gives them. */
const ERROR_FIELDS: Readonly<Record<string, string>> = {
  S: 'severity_local',
  V: 'severity',
  C: 'code',
  D: 'detail',
  H: 'hint',
  W: 'where',
  F: 'file',
  L: 'line',
  R: 'routine',
};

/** An ErrorResponse as an error, like the one that postgres.js would make of it. */
export function serverError(message: Buffer): Error {
  const fields = message
    .toString('utf8', 5)
    .split('\0')
    .map((field): [string, string] => [field.slice(0, 1), field.slice(1)]);
  const known = fields.flatMap(([key, value]) => (ERROR_FIELDS[key] ? [[ERROR_FIELDS[key], value]] : []));
  const text = fields.find(([key]) => key === 'M')?.[1] ?? 'the server gave no reason';
  return Object.assign(new Error(text), { name: 'PostgresError', ...Object.fromEntries(known) });
}

export function protocolError(what: string): LoginFailure {
  return new LoginFailure('protocol-violated', `this is not the login of a PostgreSQL server: ${what}`);
}

/** Puts together, from the pieces in which they arrive, the messages of one side of a login. */
export class MessageAssembler {
  #bytes: Buffer = Buffer.alloc(0);
  #taken = 0;

  add(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** The one byte that answers a request for TLS. */
  takeByte(): string | undefined {
    return this.#bytes.length === 0 ? undefined : this.#take(1).toString('latin1');
  }

  /** What a client begins with, which has no type. */
  takeOpening(): Buffer | undefined {
    return this.#takeSized(0);
  }

  takeMessage(): Buffer | undefined {
    return this.#takeSized(1);
  }

  /** What has arrived beyond what was taken. */
  takeRest(): Buffer {
    return this.#take(this.#bytes.length);
  }

  #takeSized(lengthAt: number): Buffer | undefined {
    if (this.#bytes.length < lengthAt + 4) return undefined;
    const length = this.#bytes.readUInt32BE(lengthAt);
    if (length < 4 || length > MAX_LENGTH - this.#taken) throw protocolError(`a message of ${length} bytes`);
    return this.#bytes.length < lengthAt + length ? undefined : this.#take(lengthAt + length);
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    this.#taken += length;
    return taken;
  }
}

/** Reads from a stream message by message, and nothing beyond the login. */
export class MessageReader {
  readonly #reader: LoginReader<MessageAssembler>;

  constructor(stream: Readable) {
    this.#reader = new LoginReader(stream, new MessageAssembler(), connectionLost);
  }

  nextByte(): Promise<string> {
    return this.#reader.next((messages) => messages.takeByte());
  }

  nextMessage(): Promise<Buffer> {
    return this.#reader.next((messages) => messages.takeMessage());
  }

  /** Leaves the stream, paused, to the next reader, to whom belongs what has arrived already. */
  release(): Buffer {
    return this.#reader.release().takeRest();
  }
}

const connectionLost = () => new LoginFailure('connection-lost');

import type { Duplex, Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  assertVerifiedPeer,
  dialedLogin,
  type Login,
  LoginFailure,
  LoginReader,
  type MakeSocket,
} from '@rds-iam/core/adapter';
import { ByteQueue, isProtocolError } from '@rds-iam/wire';
import {
  Authentication,
  decodeAuthentication,
  decodeErrorFields,
  type ErrorFields,
  encodeFirstPacket,
  encodePassword,
  MessageAssembler,
  MessageType,
} from '@rds-iam/wire/postgres';
import { serverError } from './server-error.js';

/** What a connection needs of the driver. */
export interface Driver {
  readonly dial: MakeSocket;
  /** Begin with TLS at once, as PostgreSQL 17 and later allow, and not with the request for it. */
  readonly directTls: boolean;
  /** What the driver begins with: its startup message, or a request to cancel a query. */
  readonly opening: Buffer;
  /** The driver's own error for what the server says. @defaultValue one like that of postgres.js */
  readonly errorOf?: ((fields: ErrorFields) => Error) | undefined;
}

/** A connection that is open, and what the server said: a driver to which it is repeated has logged in too. */
export interface Opened {
  readonly socket: TLSSocket;
  readonly said: Buffer;
}

/** What a server may say in a login, and a driver to begin it: far more than any does, far less than a hostile one could. */
export const MAX_LOGIN_BYTES = 262_144;

/** Dials, upgrades to TLS and logs in with a token, up to where the server waits for a query: one attempt. */
export function logIn(login: Login, driver: Driver): Promise<Opened> {
  return overTls(login, driver, async (socket, resumed) => {
    const reader = readerOf(socket, new MessageAssembler(MAX_LOGIN_BYTES));
    const said: Buffer[] = [];
    let saidBytes = 0;
    let tokenSent = false;
    let isIn = false;
    socket.write(driver.opening);
    for (;;) {
      const message = await reader.next((messages) => messages.take());
      saidBytes += message.bytes.length;
      if (saidBytes > MAX_LOGIN_BYTES) throw violation('the server says too much');
      switch (message.type) {
        case MessageType.authentication: {
          const wanted = decodeAuthentication(message)?.request;
          if (wanted === Authentication.ok && !isIn) {
            isIn = true;
            said.push(message.bytes);
          } else if (wanted === Authentication.cleartextPassword && !tokenSent && !isIn) {
            assertVerifiedPeer(socket, login.identity, resumed);
            socket.write(encodePassword(login.token));
            login.session.keep(socket);
            tokenSent = true;
          } else if (tokenSent || isIn) {
            throw violation('the server wants more than the token');
          } else {
            throw new LoginFailure('stored-password-wanted');
          }
          break;
        }
        case MessageType.error:
          throw (driver.errorOf ?? serverError)(decodeErrorFields(message.body));
        case MessageType.readyForQuery:
          if (!isIn) throw violation('the server is ready before the login');
          return { socket, said: Buffer.concat([...said, message.bytes, reader.release().takeRest()]) };
        case MessageType.notice:
        case MessageType.parameterStatus:
        case MessageType.backendKeyData:
        case MessageType.negotiateProtocolVersion:
          said.push(message.bytes);
          break;
        default:
          throw violation(`a message of type ${JSON.stringify(message.type)}`);
      }
    }
  });
}

/** Dials, upgrades to TLS and asks the server to cancel a query, to which it says nothing: one attempt. */
export function askToCancel(login: Login, driver: Driver): Promise<Opened> {
  return overTls(login, driver, async (socket, resumed) => {
    assertVerifiedPeer(socket, login.identity, resumed);
    socket.write(driver.opening);
    return { socket, said: Buffer.alloc(0) };
  });
}

async function overTls(
  login: Login,
  driver: Driver,
  open: (socket: TLSSocket, resumed: Buffer | undefined) => Promise<Opened>,
): Promise<Opened> {
  try {
    return await dialedLogin(login, driver.dial, async (raw, startTls) => {
      if (!driver.directTls) await requestTls(raw);
      const { socket, resumed } = await startTls(driver.directTls ? 'postgresql' : undefined);
      return open(socket, resumed);
    });
  } catch (error) {
    throw isProtocolError(error) ? violation(error.message) : error;
  }
}

async function requestTls(raw: Duplex): Promise<void> {
  const reader = readerOf(raw, new ByteQueue());
  raw.write(encodeFirstPacket({ kind: 'ssl' }));
  const answer = String(await reader.next((bytes) => bytes.take(1)));
  // An error sent in clear could be anybody's: it is not repeated.
  if (answer === 'N') throw new LoginFailure('tls-not-offered');
  if (answer === 'E') throw new LoginFailure('tls-failed');
  // Bytes in clear behind its answer would be taken for what the server says over TLS.
  if (answer !== 'S' || reader.release().length > 0) {
    throw new LoginFailure('peer-not-verified', 'the server does not answer the request for TLS as PostgreSQL does');
  }
}

function readerOf<Assembler extends { add(chunk: Buffer): void }>(
  stream: Readable,
  assembler: Assembler,
): LoginReader<Assembler> {
  return new LoginReader(stream, assembler, () => new LoginFailure('connection-lost'));
}

const violation = (what: string): LoginFailure =>
  new LoginFailure('protocol-violated', `this is not the login of a PostgreSQL server: ${what}`);

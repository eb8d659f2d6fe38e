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

/** What a connection needs from the driver. */
export interface Driver {
  readonly dial: MakeSocket;
  /** Start TLS right away, without the SSLRequest message, as PostgreSQL 17 and later allow. */
  readonly directTls: boolean;
  /** The driver's first message: its startup message, or a request to cancel a query. */
  readonly opening: Buffer;
  /** Makes the driver's own error from the server's. @defaultValue an error like that of postgres.js */
  readonly errorOf?: ((fields: ErrorFields) => Error) | undefined;
}

/** An open connection and the server's messages: a driver to which they are replayed is logged in too. */
export interface Opened {
  readonly socket: TLSSocket;
  readonly said: Buffer;
}

/** Limit on what a server or driver sends during a login: far more than any needs, far less than a hostile one could send. */
export const MAX_LOGIN_BYTES = 262_144;

/** Dials, upgrades to TLS and logs in with a token, until the server is ready for a query: one attempt. */
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

/** Dials, upgrades to TLS and asks the server to cancel a query; the server does not reply. One attempt. */
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
  // An error in clear could come from anybody, so it is not passed on.
  if (answer === 'N') throw new LoginFailure('tls-not-offered');
  if (answer === 'E') throw new LoginFailure('tls-failed');
  // Bytes in clear after its answer would be taken for data sent over TLS.
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

import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { assertVerifiedPeer, dialedLogin, type Login, LoginFailure } from '@rds-iam/core/adapter';
import {
  AUTHENTICATION,
  authenticationWanted,
  MessageReader,
  passwordMessage,
  protocolError,
  SSL_REQUEST,
  serverError,
  TYPE,
  typeOf,
} from './messages.js';

/** What a connection needs of the driver. */
export interface Driver {
  /** Dials: a socket that connects, or has connected. */
  dial(login: Login): Duplex | Promise<Duplex>;
  /** Begin with TLS at once, as PostgreSQL 17 and later allow, and not with the request for it. */
  readonly directTls: boolean;
  /** What the driver begins with: its startup message, or a request to cancel a query. */
  readonly opening: Buffer;
}

/** A connection that is open, and what the server said: a driver to which it is repeated has logged in too. */
export interface Opened {
  readonly socket: TLSSocket;
  readonly said: Buffer;
}

/** Dials, upgrades to TLS and logs in with a token, up to where the server waits for a query: one attempt. */
export function logIn(login: Login, driver: Driver): Promise<Opened> {
  return overTls(login, driver, async (socket, resumed) => {
    const reader = new MessageReader(socket);
    const said: Buffer[] = [];
    let tokenSent = false;
    let isIn = false;
    socket.write(driver.opening);
    for (;;) {
      const message = await reader.nextMessage();
      switch (typeOf(message)) {
        case TYPE.authentication: {
          const wanted = authenticationWanted(message);
          if (wanted === AUTHENTICATION.ok && !isIn) {
            isIn = true;
            said.push(message);
          } else if (wanted === AUTHENTICATION.cleartextPassword && !tokenSent && !isIn) {
            assertVerifiedPeer(socket, login.identity, resumed);
            socket.write(passwordMessage(login.token));
            login.session.keep(socket);
            tokenSent = true;
          } else if (tokenSent || isIn) {
            throw protocolError('the server wants more than the token');
          } else {
            throw new LoginFailure('stored-password-wanted');
          }
          break;
        }
        case TYPE.error:
          throw serverError(message);
        case TYPE.readyForQuery:
          if (!isIn) throw protocolError('the server is ready before the login');
          return { socket, said: Buffer.concat([...said, message, reader.release()]) };
        case TYPE.notice:
        case TYPE.parameterStatus:
        case TYPE.backendKeyData:
        case TYPE.negotiateProtocolVersion:
          said.push(message);
          break;
        default:
          throw protocolError(`a message of type ${JSON.stringify(typeOf(message))}`);
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

function overTls(
  login: Login,
  driver: Driver,
  open: (socket: TLSSocket, resumed: Buffer | undefined) => Promise<Opened>,
): Promise<Opened> {
  return dialedLogin(
    login,
    () => driver.dial(login),
    async (raw, startTls) => {
      if (!driver.directTls) await requestTls(raw);
      const { socket, resumed } = await startTls(driver.directTls ? 'postgresql' : undefined);
      return open(socket, resumed);
    },
  );
}

async function requestTls(raw: Duplex): Promise<void> {
  const reader = new MessageReader(raw);
  raw.write(SSL_REQUEST);
  const answer = await reader.nextByte();
  // An error sent in clear could be anybody's: it is not repeated.
  if (answer === 'N') throw new LoginFailure('tls-not-offered');
  if (answer === 'E') throw new LoginFailure('tls-failed');
  // Bytes in clear behind its answer would be taken for what the server says over TLS.
  if (answer !== 'S' || reader.release().length > 0) {
    throw new LoginFailure('peer-not-verified', 'the server does not answer the request for TLS as PostgreSQL does');
  }
}

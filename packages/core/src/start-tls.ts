import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connectTls, isIP, once } from './builtins.js';
import type { Login } from './login.js';

/** A TLS socket over one that is connected, and the session that it was told to resume. */
export interface StartedTls {
  readonly socket: TLSSocket;
  /** For `assertVerifiedPeer`. */
  readonly resumed: Buffer | undefined;
}

/**
 * The TLS handshake of a login, for a driver that does none itself: on a socket over which the server has agreed to it.
 *
 * @param alpn - the protocol to name, which PostgreSQL wants of those who begin with TLS
 * @throws what Node.js makes of a failed handshake; the socket is destroyed then
 */
export async function startTls(raw: Duplex, login: Login, alpn?: string): Promise<StartedTls> {
  const { tls, identity, signal, session } = login;
  const resumed = session.latest;
  const socket = connectTls({
    ...tls,
    socket: raw,
    host: identity,
    servername: isIP(identity) === 0 ? identity : '',
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    ...(resumed && { session: resumed }),
  });
  socket.on('error', () => {});
  try {
    // A raw socket that is closed under it, by the signal, can leave a TLS socket without a word.
    await once(socket, 'secureConnect', { signal });
    return { socket, resumed };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

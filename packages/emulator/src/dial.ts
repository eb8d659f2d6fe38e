// The emulator's own connection to the database behind it, and TLS over it.
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ConnectionEnded, isConnectionEnded } from '@rds-iam/wire';
import type { UpstreamOptions } from './options.js';

/** Sees every socket before anything can go wrong with it. */
export type Track = (socket: Socket) => void;

/** Connects to the upstream. @throws Error as the socket gave it */
export async function dialPlain({ hostname, port }: UpstreamOptions, track: Track): Promise<Socket> {
  // As in libpq, a path is the folder of PostgreSQL's Unix socket.
  const to = hostname.startsWith('/')
    ? { path: `${hostname}/.s.PGSQL.${port}` }
    : { host: hostname, port, noDelay: true };
  const socket = connect({ ...to, allowHalfOpen: true });
  track(socket);
  await opened(socket, 'connect');
  return socket;
}

/** Continues over TLS, after the upstream has agreed to it. @throws Error as the socket gave it */
export async function dialTls(socket: Socket, upstream: UpstreamOptions, track: Track, alpn?: string): Promise<Socket> {
  const secure = connectTls({
    ...(isIP(upstream.hostname) ? {} : { servername: upstream.hostname }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    host: upstream.hostname, // the name to check the certificate against; the connection is there already
    ...upstream.tls,
    socket,
  });
  track(secure);
  await opened(secure, 'secureConnect');
  return secure;
}

/** Describes an error of the two functions above. */
export function whyUnreachable({ hostname, port }: UpstreamOptions, error: unknown): string {
  return `no connection to the upstream ${hostname}:${port}: ${reasonOf(error)}`;
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve).once('error', reject);
    socket.once('close', () => reject(new ConnectionEnded()));
  });
}

/** A name with several addresses fails with an AggregateError, which has no message. */
function reasonOf(error: unknown): string {
  if (isConnectionEnded(error)) return 'it closed the connection';
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || 'unknown error';
}

import { syncBuiltinESMExports } from 'node:module';
import tls, { type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';

/** The TLS sockets that this process opens to a port during the rest of the test, latest last, since frameworks hide them. */
export function watchTlsSockets(port: number): () => readonly TLSSocket[] {
  const sockets: TLSSocket[] = [];
  const { connect } = tls;
  const watched = (...given: Parameters<typeof connect>) => {
    const socket = connect(...given);
    sockets.push(socket);
    return socket;
  };
  use(watched as typeof connect);
  onTestFinished(() => use(connect));
  return () => sockets.filter(({ remotePort }) => remotePort === port);
}

/** Makes TLS connections verify nothing for the rest of the test, whatever their options. Counts them. */
export function verifyNothing(): () => number {
  let connections = 0;
  const { connect } = tls;
  const spoiled = (options: tls.ConnectionOptions) => {
    connections++;
    return connect({ ...options, rejectUnauthorized: false, checkServerIdentity: () => undefined });
  };
  use(spoiled as typeof connect);
  onTestFinished(() => use(connect));
  return () => connections;
}

function use(connect: typeof tls.connect): void {
  tls.connect = connect;
  syncBuiltinESMExports();
}

import { syncBuiltinESMExports } from 'node:module';
import tls, { type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';

/** The TLS sockets that this process opens to a port for the rest of the test, latest last: frameworks show them to nobody. */
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

function use(connect: typeof tls.connect): void {
  tls.connect = connect;
  syncBuiltinESMExports();
}

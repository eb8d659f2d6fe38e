// A tunnel as SSH or SSM makes one: a port of this machine that leads to another.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

export interface Tunnel extends AsyncDisposable {
  readonly port: number;
}

/** @param port - of a server on this machine */
export async function startTunnel(port: number): Promise<Tunnel> {
  const server = createServer((near) => {
    const far = connect(port, 'localhost');
    // Whichever side ends first, the other may still be sending: that is an error of a socket, and none of the tunnel's.
    pipeline(near, far, near, () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

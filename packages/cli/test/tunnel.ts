// A tunnel as SSH or SSM makes one: a port of this machine that leads to another.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

export interface Tunnel extends AsyncDisposable {
  readonly port: number;
  /** How many connections have gone through. */
  readonly taken: number;
}

/** @param port - of a server on this machine */
export async function startTunnel(port: number): Promise<Tunnel> {
  let taken = 0;
  const server = createServer((near) => {
    taken += 1;
    const far = connect(port, 'localhost');
    // Whichever side ends first, the other may still be sending: that is an error of a socket, and none of the tunnel's.
    pipeline(near, far, near, () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get taken() {
      return taken;
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

// A tunnel like those of SSH or SSM: a local port that leads to another.
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
    // When one side ends, the other may still be sending: its socket error is not the tunnel's concern.
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

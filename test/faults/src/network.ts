import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How far new connections get, and what happens to them then. */
export interface HalfOpen {
  /** Accepted silently; passed through until the server's first bytes; or until the middle of its TLS handshake. */
  readonly until: 'accepted' | 'greeted' | 'half-way into TLS';
  readonly then: 'silence' | 'end' | 'reset';
}

/** What the network does to connections. Except for `half-open`, it also applies to open ones. */
type Weather = 'fair' | 'refuses' | 'black hole' | { readonly latencyMs: number } | HalfOpen;

/**
 * A TCP proxy in front of a server, which fails as a test demands. (toxiproxy needs a separate program and a client package; the
 * proxy libraries on npm only pass bytes on.)
 */
export interface Network extends AsyncDisposable {
  readonly port: number;
  /** The server that connections lead to. */
  leadTo(port: number): void;
  become(weather: Weather): Promise<void>;
  /** Resets all connections (RST). */
  cut(): void;
  /** How many connections are open. */
  readonly open: number;
}

/** Starts a proxy on a free port on loopback, which it takes again after it has refused connections. */
export async function startNetwork(): Promise<Network> {
  let weather: Weather = 'fair';
  let upstreamPort = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };

  const server = createServer({ noDelay: true }, (client) => {
    track(client);
    const halfOpen = typeof weather === 'object' && 'until' in weather ? weather : undefined;
    if (halfOpen?.until === 'accepted') return breakDown(client, halfOpen);
    const upstream = connect({ host: '127.0.0.1', port: upstreamPort, noDelay: true });
    track(upstream);
    let answers = 0;
    pipe(client, upstream);
    pipe(upstream, client, (chunk) => {
      // A server's first bytes are short; its part of the TLS handshake comes with the second chunk.
      const last = halfOpen?.until === 'greeted' ? 1 : 2;
      if (!halfOpen || ++answers < last) return chunk;
      if (answers > last) return chunk.subarray(0, 0);
      breakDown(client, halfOpen);
      return last === 1 ? chunk : chunk.subarray(0, Math.floor(chunk.length / 2));
    });
  });

  const pipe = (from: Socket, to: Socket, pass: (chunk: Buffer) => Buffer = (chunk) => chunk) => {
    const onData = async (chunk: Buffer) => {
      if (typeof weather === 'object' && 'latencyMs' in weather) await pause(weather.latencyMs);
      if (weather !== 'black hole' && !to.destroyed && to.writable) to.write(pass(chunk));
    };
    let last = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      last = last.then(() => onData(chunk));
    });
    from.once('close', () => {
      last = last.then(() => {
        if (weather !== 'black hole') to.destroySoon();
      });
    });
  };

  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const close = async () => {
    const closed = server.listening && once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    leadTo(next) {
      upstreamPort = next;
    },
    async become(next) {
      weather = next;
      if (next === 'refuses') await close();
      else if (!server.listening) await listen(port);
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    get open() {
      return sockets.size;
    },
    [Symbol.asyncDispose]: close,
  };
}

function breakDown(client: Socket, { then }: HalfOpen): void {
  if (then === 'silence') return;
  // After the bytes that are still to be written.
  setImmediate(() => (then === 'end' ? client.destroySoon() : client.resetAndDestroy()));
}

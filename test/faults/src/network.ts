import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How far new connections get, and what becomes of them then. */
export interface HalfOpen {
  /** Taken without a word; let through to the server's first words; to the middle of its part of the TLS handshake. */
  readonly until: 'accepted' | 'greeted' | 'half-way into TLS';
  readonly then: 'silence' | 'end' | 'reset';
}

/** What the network does to connections. All but `half-open` is also for those that are open. */
type Weather = 'fair' | 'refuses' | 'black hole' | { readonly latencyMs: number } | HalfOpen;

/**
 * A TCP proxy before a server, whose network fails as a test says. (toxiproxy needs a program of its own, and a client
 * package for it; the proxies of npm that are libraries only pass bytes on.)
 */
export interface Network extends AsyncDisposable {
  readonly port: number;
  /** Where connections lead to. */
  leadTo(port: number): void;
  become(weather: Weather): Promise<void>;
  /** Breaks off all connections (RST). */
  cut(): void;
  /** How many connections are open. */
  readonly open: number;
}

/** Starts a proxy on a free port of loopback, which it gives back to itself after it has refused connections. */
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
      // A server's first words are short; its part of the TLS handshake comes with the second.
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
  // After what was still to be written.
  setImmediate(() => (then === 'end' ? client.destroySoon() : client.resetAndDestroy()));
}

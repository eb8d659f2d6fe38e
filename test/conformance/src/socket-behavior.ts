import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, connect as startTls, TLSSocket } from 'node:tls';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

/** The socket members that drivers and their users need, in addition to those of every stream. */
export type SocketLike = Duplex &
  Pick<
    Socket,
    | 'ref'
    | 'unref'
    | 'setTimeout'
    | 'timeout'
    | 'setKeepAlive'
    | 'setNoDelay'
    | 'readyState'
    | 'remoteAddress'
    | 'remotePort'
    | 'localPort'
  >;

/** A connection, seen from both sides. */
export interface Pair {
  readonly stream: SocketLike;
  /** The server's end, of the TLS connection if there is one. */
  readonly peer: Socket;
  /** The raw socket under the server's end, which can be closed silently or reset. */
  readonly wire: Socket;
}

/** A kind of stream that a driver gets as its socket. */
export interface SocketSubject {
  readonly name: string;
  start(): Promise<Opener>;
}

export interface Opener extends AsyncDisposable {
  /** @param prepare - gets the stream before it is connected */
  open(prepare?: (stream: SocketLike) => void): Promise<Pair>;
}

/** Node's own. */
export const SOCKETS: readonly SocketSubject[] = [
  {
    name: 'net.Socket',
    start: () =>
      listening(async (port, accepted, prepare) => {
        const stream = connect(port, '127.0.0.1');
        prepare?.(stream);
        const [[wire]] = await Promise.all([accepted, once(stream, 'connect')]);
        return { stream, peer: wire, wire };
      }),
  },
  {
    name: 'tls.TLSSocket',
    async start() {
      const authority = await createCertificateAuthority();
      const secureContext = createSecureContext(await authority.issue({ hostnames: ['localhost'] }));
      return listening(async (port, accepted, prepare) => {
        const stream = startTls({ socket: connect(port, '127.0.0.1'), servername: 'localhost', ca: authority.ca });
        prepare?.(stream);
        const [wire] = await accepted;
        const peer = new TLSSocket(wire, { isServer: true, secureContext });
        peer.on('error', () => {});
        await once(stream, 'secureConnect');
        return { stream, peer, wire };
      });
    },
  },
];

/** Opens pairs through its own server on loopback; whatever a test leaves open is closed at the end. */
export async function listening(
  open: (
    port: number,
    accepted: Promise<[Socket]>,
    prepare: ((stream: SocketLike) => void) | undefined,
  ) => Promise<Pair>,
): Promise<Opener> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    open: (prepare) => open(port, once(server, 'connection') as Promise<[Socket]>, prepare),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** More bytes than fit into the buffers of a connection on loopback. */
const MORE_THAN_FITS = 16_000_000;

/**
 * The behavior of a socket on which drivers implicitly rely. It is run with Node.js's own sockets, and with each of our streams
 * that stands in for one.
 */
export function describeSocketBehavior({ name, start }: SocketSubject): void {
  describe(`${name} behaves as a socket:`, () => {
    let opener: Opener;
    const open: SocketLike[] = [];
    beforeAll(async () => {
      opener = await start();
    });
    afterEach(() => {
      for (const stream of open.splice(0)) stream.destroy();
    });
    afterAll(() => opener[Symbol.asyncDispose]());

    const pair = async (
      prepare?: (stream: SocketLike) => void,
    ): Promise<Pair & { events: string[]; closed: Promise<void> }> => {
      const opened = await opener.open(prepare);
      open.push(opened.stream);
      const events: string[] = [];
      const { stream } = opened;
      for (const name of ['end', 'finish']) stream.on(name, () => events.push(name));
      stream.on('error', ({ code, message }: NodeJS.ErrnoException) => events.push(`error ${code ?? message}`));
      const closed = new Promise<void>((resolve) => {
        stream.on('close', (failed?: boolean) => {
          events.push(`close ${failed}`);
          resolve();
        });
      });
      return { ...opened, events, closed };
    };
    /** Records the following phases of the event loop in the list of events. */
    const watchPhases = (events: string[]) => {
      process.nextTick(() => events.push('tick'));
      setImmediate(() => events.push('immediate'));
    };

    test('carries bytes in both directions', async () => {
      const { stream, peer } = await pair();
      stream.write('ping');
      expect(String(await nextData(peer))).toBe('ping');
      peer.write('pong');
      expect(String(await nextData(stream))).toBe('pong');
    });

    describe('is closed', () => {
      test('after everything that the same turn has scheduled, and not before', async () => {
        const { stream, events, closed } = await pair();
        setImmediate(() => events.push('asked for before'));
        stream.destroy();
        watchPhases(events);
        await closed;
        expect(events).toEqual(['tick', 'asked for before', 'immediate', 'close false']);
      });

      test('with an error, after that', async () => {
        const { stream, events, closed } = await pair();
        stream.destroy(new Error('of mine'));
        watchPhases(events);
        await closed;
        expect(events).toEqual(['error of mine', 'tick', 'immediate', 'close true']);
      });

      test('once, however often it is destroyed', async () => {
        const { stream, events, closed } = await pair();
        stream.destroy().destroy(new Error('too late'));
        stream.once('close', () => stream.destroy());
        await closed;
        await new Promise(setImmediate);
        expect(events).toEqual(['close false']);
      });

      test("after its own end and the peer's, both of which are emitted", async () => {
        const { stream, peer, events, closed } = await pair();
        stream.resume();
        stream.end('bye');
        expect(String(await nextData(peer))).toBe('bye');
        await closed;
        expect(events.toSorted()).toEqual(['close false', 'end', 'finish']);
        expect(events.at(-1)).toBe('close false');
      });

      test('when the peer ends it, because it is not half-open', async () => {
        const { stream, peer, events, closed } = await pair();
        stream.resume();
        peer.end('last words');
        expect(String(await nextData(stream))).toBe('last words');
        await closed;
        expect(events).toEqual(['end', 'finish', 'close false']);
      });

      test('when the peer ends it, after everything scheduled in that turn', async () => {
        const { stream, peer, events, closed } = await pair();
        stream.resume();
        stream.once('end', () => watchPhases(events));
        peer.end();
        await closed;
        expect(events.indexOf('immediate')).toBeGreaterThan(-1);
        expect(events.at(-1)).toBe('close false');
      });

      test('when it is reset, with the error first', async () => {
        const { stream, wire, events, closed } = await pair();
        stream.resume();
        // A socket that is closed with unread bytes is reset, also under TLS.
        stream.write(Buffer.alloc(MORE_THAN_FITS));
        wire.destroy();
        await closed;
        expect(events).toEqual([expect.stringMatching(/^error (ECONNRESET|EPIPE)$/), 'close true']);
      });

      test('within its own events', async () => {
        const { stream, peer, events, closed } = await pair();
        let chunks = 0;
        stream.on('data', () => {
          chunks++;
          stream.destroy();
          watchPhases(events);
        });
        peer.write('one');
        await closed;
        expect(chunks).toBe(1);
        expect(events).toEqual(['tick', 'immediate', 'close false']);
      });

      test('within the callback of a write', async () => {
        const { stream, events, closed } = await pair();
        stream.write('x', () => stream.destroy());
        await closed;
        expect(events).toEqual(['close false']);
      });

      test('in the middle of a write, whose callback gets the error', async () => {
        const { stream, events, closed } = await pair();
        const answered = new Promise<void>((resolve) => stream.write(Buffer.alloc(MORE_THAN_FITS), () => resolve()));
        setImmediate(() => stream.destroy());
        await answered;
        await closed;
        expect(events).toEqual(['close false']);
      });

      test('with all its properties', async () => {
        const { stream, closed } = await pair();
        expect(stream).toMatchObject({ readyState: 'open', destroyed: false, closed: false, writable: true });
        stream.end();
        expect(stream).toMatchObject({ readyState: 'readOnly', writable: false, writableEnded: true });
        stream.destroy();
        expect(stream).toMatchObject({ readyState: 'closed', destroyed: true });
        await closed;
        expect(stream).toMatchObject({ readyState: 'closed', destroyed: true, closed: true });
      });
    });

    describe('a write', () => {
      test('after its end fails, and so does the socket', async () => {
        const { stream, events, closed } = await pair();
        stream.end();
        const failure = new Promise((resolve) => stream.write('too late', (error) => resolve(error)));
        expect(await failure).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
        await closed;
        expect(events).toContain('error ERR_STREAM_WRITE_AFTER_END');
        expect(events.at(-1)).toBe('close true');
      });

      test('after it was destroyed fails, and nothing else', async () => {
        const { stream, events, closed } = await pair();
        stream.destroy();
        const failure = new Promise((resolve) => stream.write('too late', (error) => resolve(error)));
        expect(await failure).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
        await closed;
        expect(events).toEqual(['close false']);
      });

      test('that is more than the peer accepts returns false, and a drain follows', async () => {
        const { stream, peer } = await pair();
        expect(stream.write('small')).toBe(true);
        expect(stream.write(Buffer.alloc(MORE_THAN_FITS))).toBe(false);
        const drained = once(stream, 'drain');
        peer.resume();
        await drained;
        expect(stream.writableLength).toBe(0);
      });

      test('calls back in order, and may be made within that', async () => {
        const { stream, peer } = await pair();
        const done: number[] = [];
        stream.write('1', () => {
          done.push(1);
          stream.write('3', () => done.push(3));
        });
        stream.write('2', () => done.push(2));
        let heard = '';
        for await (const chunk of peer) {
          heard += chunk;
          if (heard.length === 3) break;
        }
        expect(heard).toBe('123');
        expect(done.toSorted()).toEqual([1, 2, 3]);
      });
    });

    describe('reading', () => {
      test('can be paused, which slows down the peer, and continues where it was', async () => {
        const { stream, peer } = await pair();
        stream.on('data', () => {}).pause();
        const chunk = Buffer.alloc(MORE_THAN_FITS);
        expect(peer.write(chunk)).toBe(false);
        let heard = 0;
        stream.on('data', ({ length }: Buffer) => {
          heard += length;
        });
        await new Promise(setImmediate);
        expect(heard).toBe(0);
        expect(peer.writableLength).toBeGreaterThan(0);
        const drained = once(peer, 'drain');
        stream.resume();
        await drained;
        while (heard < chunk.length) await once(stream, 'data');
        expect(heard).toBe(chunk.length);
      });

      test('with an iterator ends when the peer ends', async () => {
        const { stream, peer } = await pair();
        peer.end(Buffer.alloc(300_000));
        let heard = 0;
        for await (const chunk of stream) heard += chunk.length;
        expect(heard).toBe(300_000);
      });
    });

    describe('setTimeout', () => {
      test('reports idleness, closes nothing, and accepts a callback', async () => {
        const { stream, peer, events } = await pair();
        await new Promise<void>((resolve) => stream.setTimeout(1, resolve));
        expect(events).toEqual([]);
        peer.write('still there');
        expect(String(await nextData(stream))).toBe('still there');
      });

      test('applies if it was set before there was a connection', async () => {
        let timedOut = 0;
        const { stream } = await pair((early) => early.setTimeout(50, () => timedOut++));
        if (timedOut === 0) await once(stream, 'timeout');
        expect(timedOut).toBe(1);
      });

      test('is removed by 0', async () => {
        const { stream } = await pair((early) => early.setTimeout(30_000));
        expect(stream.timeout).toBe(30_000);
        stream.setTimeout(0);
        expect(stream.timeout).toBe(0);
      });
    });

    describe('ref and unref', () => {
      const holding = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

      test('say whether it keeps the process alive', async () => {
        const { stream } = await pair();
        const before = holding();
        stream.unref();
        expect(holding()).toBe(before - 1);
        stream.ref();
        expect(holding()).toBe(before);
      });

      test('apply if they were called before there was a connection', async () => {
        const before = holding();
        await pair((early) => early.unref());
        const unreferenced = holding() - before;
        await pair((early) => early.unref().ref());
        expect(holding() - before).toBeGreaterThan(unreferenced);
      });
    });

    test('setKeepAlive and setNoDelay return the socket, before and after there is a connection', async () => {
      const { stream } = await pair((early) => {
        expect(early.setNoDelay(true)).toBe(early);
        expect(early.setKeepAlive(true, 1_000)).toBe(early);
      });
      expect(stream.setNoDelay()).toBe(stream);
      expect(stream.setKeepAlive()).toBe(stream);
    });

    test('has the addresses of both ends', async () => {
      const { stream, wire } = await pair();
      expect(stream).toMatchObject({
        remoteAddress: '127.0.0.1',
        remotePort: wire.localPort,
        localPort: wire.remotePort,
      });
      const { bytesRead, bytesWritten } = stream as unknown as Socket;
      expect([typeof bytesRead, typeof bytesWritten]).toEqual(['number', 'number']);
    });

    test('destroyed before it is connected, closes without an error', async () => {
      const events: string[] = [];
      const early = await new Promise<SocketLike>((resolve) => {
        opener
          .open((stream) => {
            stream
              .on('error', ({ message }) => events.push(message))
              .on('close', (failed?: boolean) => events.push(`${failed}`));
            resolve(stream);
          })
          .catch(() => {});
      });
      early.destroy();
      setImmediate(() => events.push('immediate'));
      await new Promise((resolve) => early.once('close', resolve));
      expect(events).toEqual(['immediate', 'false']);
    });
  });
}

async function nextData(stream: Duplex): Promise<Buffer> {
  const [chunk] = await once(stream, 'data');
  return chunk;
}

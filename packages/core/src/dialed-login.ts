import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { abortable } from './abortable.js';
import { connectSocket, connectTls, isIP, once } from './builtins.js';
import { type Dial, dialFor, isStream } from './dial.js';
import type { Login } from './login.js';

// One login for a driver that leaves dialing, TLS and the login to us and is given the resulting stream.

/** A TLS socket over a connected one, and the session that it was told to resume. */
export interface StartedTls {
  readonly socket: TLSSocket;
  /** For `assertVerifiedPeer`. */
  readonly resumed: Buffer | undefined;
}

/** Makes a socket that is connecting, or has connected, to the given host and port. */
export type MakeSocket = (to: Login) => Duplex | Promise<Duplex>;

/**
 * Dials and logs in. Whatever it has opened is closed if that fails or the attempt is given up.
 *
 * @param dial - makes a socket that is connecting, or has connected, to the given host and port; these differ from the
 *   endpoint's if the option `dial` names others
 * @param open - logs in over that socket, with a function that starts TLS on it; `alpn` is the protocol to announce, which
 *   PostgreSQL requires of clients that begin with TLS
 * @throws the reason of `login.signal` if the attempt was given up, else what `dial` or `open` throw
 */
export async function dialedLogin<T>(
  login: Login,
  dial: MakeSocket,
  open: (raw: Duplex, startTls: (alpn?: string) => Promise<StartedTls>) => Promise<T>,
): Promise<T> {
  const { signal, reached } = login;
  const dialed = dialAsOption(login, dial);
  const raw = isStream(dialed) ? dialed : await inTime(Promise.resolve(dialed), signal);
  let socket = raw;
  const close = () => {
    socket.destroy();
    raw.destroy();
  };
  raw.on('error', () => {});
  if ((raw as Partial<Socket>).connecting) raw.once('connect', () => reached('login'));
  else reached('login');
  signal.addEventListener('abort', close, { once: true });
  try {
    signal.throwIfAborted();
    const opening = open(raw, async (alpn) => {
      reached('tls');
      const started = startTls(raw, login, alpn);
      socket = started.socket;
      await once(socket, 'secureConnect');
      reached('login');
      return started;
    });
    return await abortable(opening, signal);
  } catch (error) {
    close();
    // We closed the socket ourselves, so its error is not what went wrong.
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', close);
  }
}

/** Dials the address in the option `dial`, or else the endpoint. In either case TLS verifies the endpoint's identity. */
function dialAsOption(login: Login, dial: MakeSocket): Duplex | Promise<Duplex> {
  return login.dial === undefined ? dial(login) : dialElsewhere(login, login.dial, dial);
}

async function dialElsewhere(login: Login, option: Dial, dial: MakeSocket): Promise<Duplex> {
  const { hostname, port } = login;
  const to = await dialFor(option, { hostname, port });
  if (to === undefined) return dial(login);
  if (isStream(to)) return to;
  return 'path' in to ? connectSocket({ path: to.path }) : dial({ ...login, ...to });
}

/** Waits no longer than the attempt may last: a user's function might never settle. A late stream is closed. */
async function inTime(dialing: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  try {
    return await abortable(dialing, signal);
  } catch (error) {
    dialing.then(
      (late) => late.on('error', () => {}).destroy(),
      () => {},
    );
    throw error;
  }
}

/** Begins the TLS handshake, on a socket whose server has agreed to it. */
function startTls(raw: Duplex, { tls, identity, session }: Login, alpn: string | undefined): StartedTls {
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
  return { socket, resumed };
}

/** Reads the server's messages during a login, one by one as `take` finds them, and nothing beyond. */
export class LoginReader<Assembler extends { add(chunk: Buffer): void }> {
  readonly #stream: Readable;
  readonly #assembler: Assembler;
  readonly #connectionLost: () => Error;
  #ended: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param connectionLost - makes the driver's error for a closed connection */
  constructor(stream: Readable, assembler: Assembler, connectionLost: () => Error) {
    this.#stream = stream;
    this.#assembler = assembler;
    this.#connectionLost = connectionLost;
    stream.on('data', this.#onData).on('error', this.#onEnd).on('end', this.#onEnd).on('close', this.#onEnd);
  }

  /** Waits until `take` finds something in the data that has arrived. */
  async next<T>(take: (assembler: Assembler) => T | undefined): Promise<T> {
    for (;;) {
      const taken = take(this.#assembler);
      if (taken !== undefined) return taken;
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Leaves the stream, paused, to the next reader. @returns the data that has arrived and was not taken */
  release(): Assembler {
    const stream = this.#stream;
    stream.pause();
    stream.off('data', this.#onData).off('error', this.#onEnd).off('end', this.#onEnd).off('close', this.#onEnd);
    return this.#assembler;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#assembler.add(chunk);
    this.#wake?.();
  };

  readonly #onEnd = (error?: unknown): void => {
    this.#ended ??= error instanceof Error ? error : this.#connectionLost();
    this.#wake?.();
  };
}

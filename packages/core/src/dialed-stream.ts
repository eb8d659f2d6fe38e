import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

type Done = (error?: Error | null) => void;

/**
 * What a driver gets in place of a socket while its connection is dialed and logged in behind it. Once there is a socket,
 * this behaves exactly like it, timing included: drivers rely on the turn of the event loop in which a socket closes.
 * Settings made earlier are applied then, as with a socket that is not connected yet.
 */
export abstract class DialedStream extends Duplex {
  #socket: TLSSocket | undefined;
  #isClosed = false;
  #isPassing = false;
  /** Settings for a socket that is not there yet: the last of each kind. */
  readonly #settings = new Map<string, (socket: TLSSocket) => void>();
  #timeoutMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    super({ allowHalfOpen: false, emitClose: false });
  }

  /** Receives what the driver writes until its writes go to the socket. */
  protected abstract writeEarly(chunk: Buffer, done: Done): void;

  /** Called if this is destroyed before there is a socket. */
  protected abstract abandon(): void;

  /** The underlying socket, once there is one. */
  get socket(): TLSSocket | undefined {
    return this.#socket;
  }

  /** Passes on the socket's data, errors and end; or closes the socket, if this is closed already. */
  protected follow(socket: TLSSocket): void {
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    clearTimeout(this.#timer);
    if (this.#timeoutMs > 0) socket.setTimeout(this.#timeoutMs);
    for (const set of this.#settings.values()) set(socket);
    socket
      .on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) socket.pause();
      })
      .on('end', () => {
        this.push(null);
        // With nothing left to read, the end is emitted even if nobody reads.
        this.read(0);
      })
      .on('error', (error) => this.destroy(error))
      .on('drain', () => this.emit('drain'))
      .on('timeout', () => this.emit('timeout'))
      .on('close', () => {
        this.#isClosed = true;
        this.destroy();
      });
  }

  /** From here on, what the driver writes goes to the socket. */
  protected passWrites(): void {
    this.#isPassing = true;
  }

  override _read(): void {
    this.#socket?.resume();
  }

  /** Straight to the socket: the queue of a second stream would slow down every query. */
  override write(chunk: Buffer, ...rest: unknown[]): boolean {
    const more = rest as [];
    if (this.#socket && this.#isPassing && !this.writableEnded && !this.destroyed) {
      return this.#socket.write(chunk, ...more);
    }
    return super.write(chunk, ...more);
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: Done): void {
    if (this.#socket && this.#isPassing) this.#socket.write(chunk, encoding, done);
    else this.writeEarly(chunk, done);
  }

  override _final(done: Done): void {
    if (this.#socket) this.#socket.end(() => done());
    else this.destroy();
  }

  override _destroy(error: Error | null, done: Done): void {
    const close = () => this.emit('close', error !== null);
    clearTimeout(this.#timer);
    if (!this.#socket) {
      this.abandon();
      // As a handle would: after all immediates that this turn schedules.
      setImmediate(() => setImmediate(close));
    } else if (this.#isClosed) {
      process.nextTick(close);
    } else {
      this.#socket.once('close', close).destroy();
    }
    done(error);
  }

  // The methods and properties of a socket.

  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.#timeoutMs = timeoutMs;
    if (this.#socket) {
      this.#socket.setTimeout(timeoutMs);
    } else {
      clearTimeout(this.#timer);
      if (timeoutMs > 0) this.#timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref();
    }
    if (callback && timeoutMs > 0) this.once('timeout', callback);
    else if (callback) this.off('timeout', callback);
    return this;
  }

  setKeepAlive(...settings: Parameters<Socket['setKeepAlive']>): this {
    return this.#set('setKeepAlive', (socket) => socket.setKeepAlive(...settings));
  }

  setNoDelay(...settings: Parameters<Socket['setNoDelay']>): this {
    return this.#set('setNoDelay', (socket) => socket.setNoDelay(...settings));
  }

  ref(): this {
    return this.#set('ref', (socket) => socket.ref());
  }

  unref(): this {
    return this.#set('ref', (socket) => socket.unref());
  }

  #set(name: string, set: (socket: TLSSocket) => void): this {
    if (this.#socket) set(this.#socket);
    else this.#settings.set(name, set);
    return this;
  }

  address(): ReturnType<Socket['address']> {
    return this.#socket?.address() ?? {};
  }

  getPeerCertificate(...detailed: [false?]): ReturnType<TLSSocket['getPeerCertificate']> | null {
    return this.#socket?.getPeerCertificate(...detailed) ?? null;
  }

  getCipher(): ReturnType<TLSSocket['getCipher']> | undefined {
    return this.#socket?.getCipher();
  }

  getProtocol(): string | null {
    return this.#socket?.getProtocol() ?? null;
  }

  get readyState(): Socket['readyState'] {
    if (this.destroyed) return 'closed';
    if (!this.#socket) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get timeout(): number {
    return this.#timeoutMs;
  }

  get connecting(): boolean {
    return !this.#socket && !this.destroyed;
  }

  get encrypted(): boolean {
    return this.#socket?.encrypted ?? false;
  }

  get authorized(): boolean {
    return this.#socket?.authorized ?? false;
  }

  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket?.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#socket?.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#socket?.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket?.localPort;
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  get bytesWritten(): number {
    return this.#socket?.bytesWritten ?? 0;
  }
}

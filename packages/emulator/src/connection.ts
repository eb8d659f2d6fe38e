// The client's end of a connection: in clear at first, under TLS once it asks for that.
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { ByteReader, ConnectionEnded } from '@rds-iam/wire';

export class Connection {
  /** The TCP connection itself. */
  readonly raw: Socket;
  /** What to write to: the TLS socket once there is one. */
  stream: Socket;
  reader: ByteReader;

  constructor(raw: Socket) {
    this.raw = raw;
    this.stream = raw;
    this.reader = new ByteReader(raw);
  }

  get encrypted(): boolean {
    return this.stream !== this.raw;
  }

  /** The client's IP address, as servers print it. */
  get address(): string {
    return (this.raw.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  /**
   * Continues over TLS; unread bytes are the beginning of the handshake.
   * @throws ConnectionEnded if there is no handshake, or the client rejects the server
   */
  startTls(secureContext: SecureContext, alpn?: string): Promise<TLSSocket> {
    this.reader.release();
    return new Promise((resolve, reject) => {
      const secure = new TLSSocket(this.raw, {
        isServer: true,
        secureContext,
        ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
      });
      secure.on('error', () => {}); // a failed handshake shows as a close
      const gone = () => reject(new ConnectionEnded());
      secure.once('close', gone);
      secure.once('end', gone); // a client that does not trust the certificate leaves before the handshake is over
      secure.once('secure', () => {
        secure.off('end', gone);
        this.stream = secure;
        this.reader = new ByteReader(secure);
        resolve(secure);
      });
    });
  }

  /** Tells the client why. The connection closes when the client has closed its side, too, or the time for logins is over. */
  refuse(answer: Buffer): void {
    this.reader.release();
    this.stream.end(answer);
    // Closing with bytes unread would make the kernel send a reset, which can overtake the answer.
    this.stream.resume();
  }

  /** Stops answering for good. */
  ignore(): void {
    this.reader.release();
    this.stream.resume().once('end', () => this.stream.destroy());
  }
}

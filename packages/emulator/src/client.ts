// The client's end of a connection: in clear at first, under TLS once it asks, and its first packets.
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import {
  encodeError,
  GSSENC_REQUEST,
  SSL_REQUEST,
  type Startup,
  TLS_HANDSHAKE,
  unsupportedVersion,
} from './protocol.js';
import { ByteReader, ConnectionEnded, readFirstPacket } from './reader.js';
import { badStartup, type ErrorReport } from './refusals.js';

const ALPN = 'postgresql';

/** What a client wants once it is done with asking for encryption. */
export type Opening =
  | { readonly kind: 'startup'; readonly startup: Startup }
  | { readonly kind: 'cancel'; readonly packet: Buffer };

export class Client {
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

  /** Answers requests for encryption until the client says what it wants. `undefined` as a certificate is no TLS. */
  async open(certificate: () => Promise<SecureContext | undefined>): Promise<Opening> {
    let firstByte: Buffer | undefined = await this.reader.read(1);
    if (firstByte[0] === TLS_HANDSHAKE) {
      const context = await certificate();
      if (!context) throw new ConnectionEnded();
      this.reader.release();
      this.raw.unshift(firstByte);
      firstByte = undefined;
      const secure = await this.#startTls(context);
      // PostgreSQL insists, so that no other protocol's client can be led here.
      if (secure.alpnProtocol !== ALPN) throw new ConnectionEnded();
    }
    let [mayAskForTls, mayAskForGss] = [!this.encrypted, !this.encrypted];
    for (;;) {
      const packet = await readFirstPacket(this.reader, firstByte);
      firstByte = undefined;
      if (packet.kind === 'startup' || packet.kind === 'cancel') return packet;
      if (packet.kind === 'gssenc') {
        if (!mayAskForGss) throw unsupportedVersion(GSSENC_REQUEST);
        mayAskForGss = false;
        this.#refuseEarlyBytes('GSSAPI encryption');
        this.stream.write('N');
        continue;
      }
      if (!mayAskForTls) throw unsupportedVersion(SSL_REQUEST);
      mayAskForTls = false;
      this.#refuseEarlyBytes('SSL');
      const context = await certificate();
      if (context) {
        mayAskForGss = false;
        this.reader.release();
        this.raw.write('S');
        await this.#startTls(context);
      } else {
        this.raw.write('N');
      }
    }
  }

  /** Tells the client why. Its connection closes when it has closed its side, too, or when the time for logins is up. */
  refuse(answer: ErrorReport | Buffer): void {
    this.reader.release();
    this.stream.end(Buffer.isBuffer(answer) ? answer : encodeError(answer));
    // Closing with bytes unread would make the kernel send a reset, which can overtake the answer.
    this.stream.resume();
  }

  /** Never answers again. */
  ignore(): void {
    this.reader.release();
    this.stream.resume().once('end', () => this.stream.destroy());
  }

  /** Bytes that came in clear before TLS began may be an attacker's: CVE-2021-23214. */
  #refuseEarlyBytes(request: string): void {
    if (this.reader.buffered === 0) return;
    throw badStartup(
      '08P01',
      `received unencrypted data after ${request} request`,
      'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
    );
  }

  #startTls(secureContext: SecureContext): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secure = new TLSSocket(this.raw, { isServer: true, secureContext, ALPNProtocols: [ALPN] });
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
}

// The emulator's own connection to the database behind it: dialing, and logging in with the configured password.
import type { Socket } from 'node:net';
import { ByteReader, ConnectionEnded, isConnectionEnded, isProtocolError } from '@rds-iam/wire';
import {
  Capability,
  Channel,
  decodeGreeting,
  encodeHandshakeResponse,
  encodeSslRequest,
  type Greeting,
  type HandshakeResponse,
  Reply,
} from '@rds-iam/wire/mysql';
import { dialPlain, dialTls, type Track, whyUnreachable } from '../dial.js';
import type { UpstreamOptions } from '../options.js';
import type { Refusal } from '../refusal.js';
import { upstreamRefused, upstreamUnreachable } from './refusals.js';

/** A stream and its reader. */
export interface End {
  readonly stream: Socket;
  readonly reader: ByteReader;
}

// No packet of a MySQL server is longer before the end of a login.
const MAX_PACKET_BYTES = 65_536;

/** A connection to the upstream, in its login. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #track: Track;
  /** The TCP connection and the TLS over it. */
  readonly #sockets: Socket[] = [];
  #end: End | undefined;
  #channel: Channel | undefined;
  #greeting: Greeting | undefined;

  constructor(options: UpstreamOptions, track: Track) {
    this.#options = options;
    this.#track = (socket) => {
      track(socket);
      this.#sockets.push(socket);
    };
  }

  /**
   * Connects, and reads the upstream's greeting, which comes before TLS.
   * @throws Refusal with the reason `upstream`
   */
  async dial(): Promise<Greeting> {
    const socket = await dialPlain(this.#options, this.#track).catch((error) => {
      throw this.#unreachable(error);
    });
    this.#talkOver(socket);
    const payload = await this.read();
    if (payload[0] === Reply.error) throw upstreamRefused(payload); // too many connections, a host that is blocked
    const greeting = greetingOf(payload);
    this.#greeting = greeting;
    return greeting;
  }

  /** Its greeting, while it is waiting for our answer. */
  get unanswered(): Greeting | undefined {
    return this.#greeting;
  }

  get encrypted(): boolean {
    return this.#options.tls !== undefined;
  }

  /** Answers the greeting, over TLS if that is configured. @throws Refusal with the reason `upstream` */
  async respond(response: HandshakeResponse, greeting: Greeting): Promise<void> {
    this.#greeting = undefined;
    if (!this.encrypted) {
      const capabilities = (response.capabilities & ~Capability.ssl) >>> 0;
      return this.write(encodeHandshakeResponse({ ...response, capabilities }));
    }
    if (!(greeting.capabilities & Capability.ssl)) throw this.#unreachable(new Error('it does not offer TLS'));
    const overTls = { ...response, capabilities: (response.capabilities | Capability.ssl) >>> 0 };
    this.write(encodeSslRequest(overTls));
    const { stream, reader } = this.end;
    reader.release();
    const secure = await dialTls(stream, this.#options, this.#track).catch((error) => {
      throw this.#unreachable(error);
    });
    this.#talkOver(secure, 2);
    this.write(encodeHandshakeResponse(overTls));
  }

  /** Begins a command: its sequence numbers start at 0 again. */
  command(payload: Buffer): void {
    this.#channel = new Channel(this.end);
    this.write(payload);
  }

  write(payload: Buffer): void {
    this.#channel?.write(payload);
  }

  /** @throws Refusal with the reason `upstream` */
  async read(): Promise<Buffer> {
    try {
      const payload = await this.#channel?.read(MAX_PACKET_BYTES);
      if (payload && payload.length > 0) return payload;
    } catch (error) {
      if (isConnectionEnded(error)) throw upstreamUnreachable('the upstream closed the connection during the login');
      if (!isProtocolError(error)) throw error;
    }
    throw notMysql();
  }

  /** Its stream and reader. @throws ConnectionEnded if there is none */
  get end(): End {
    if (!this.#end) throw new ConnectionEnded();
    return this.#end;
  }

  /** Takes the stream back from its other reader. */
  resume(): void {
    this.#end = { stream: this.end.stream, reader: new ByteReader(this.end.stream) };
  }

  /** Closes it in any state. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #talkOver(stream: Socket, sequence = 0): void {
    this.#end = { stream, reader: new ByteReader(stream) };
    this.#channel = new Channel(this.#end, sequence);
  }

  #unreachable(error: unknown): Refusal {
    return upstreamUnreachable(whyUnreachable(this.#options, error));
  }
}

function greetingOf(payload: Buffer): Greeting {
  try {
    const greeting = decodeGreeting(payload);
    if (greeting.capabilities & Capability.pluginAuth) return greeting;
  } catch (error) {
    if (!isProtocolError(error)) throw error;
  }
  throw notMysql();
}

/** For packets that no MySQL server would send. */
export const notMysql = () => upstreamUnreachable('the upstream does not speak the protocol of MySQL 5.5.7 or later');

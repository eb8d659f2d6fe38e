// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression_packet.html
import { inflateSync } from 'node:zlib';
import { ByteQueue } from '../byte-queue.js';
import { ProtocolError } from '../protocol-error.js';
import { CommandTracker, type Scan, type Tracker } from './command.js';

/** The length, a sequence number, and the length before compression, which is 0 where nothing is compressed. */
const HEADER_BYTES = 7;

/** Frames bytes for a connection that is compressed, without compressing them. */
export function encodeFrame(sequence: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(bytes.length, 0, 3);
  header[3] = sequence & 0xff;
  return Buffer.concat([header, bytes]);
}

/**
 * Follows the packets of a client whose connection is compressed by zlib, for commands that are not to pass. What passes
 * does so as it came.
 *
 * A server does not look at the sequence numbers of packets there, so that only it knows which are commands: the packets of
 * a file are taken for commands, too.
 */
export class CompressedTracker implements Tracker {
  readonly #frames = new ByteQueue();
  readonly #commands: CommandTracker;
  #rest: Buffer = Buffer.alloc(0);
  #sequence = 0;
  #broken: ProtocolError | undefined;

  /** @param holds - by the first byte of a packet, whether it is to be held */
  constructor(holds: (command: number) => boolean) {
    this.#commands = new CommandTracker((start) => holds(start[0] as number), { numbered: false });
  }

  /** The sequence number of the last frame. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Why nothing passes any more, if it is not for a command. */
  get broken(): ProtocolError | undefined {
    return this.#broken;
  }

  /** Follows some bytes. Those that complete a frame with a command that is held do not pass, nor do any after them. */
  scan(bytes: Buffer): Scan {
    this.#frames.add(bytes);
    try {
      for (let frame = this.#takeFrame(); frame; frame = this.#takeFrame()) {
        const packets = this.#rest.length === 0 ? frame : Buffer.concat([this.#rest, frame]);
        const { forward, holds } = this.#commands.scan(packets);
        if (holds) return { forward: 0, holds };
        this.#rest = Buffer.from(packets.subarray(forward));
      }
    } catch {
      this.#broken = new ProtocolError('layout', 'a compressed packet that cannot be read');
      return { forward: 0, holds: true };
    }
    return { forward: bytes.length, holds: false };
  }

  /** What is in the next frame, once that is complete. */
  #takeFrame(): Buffer | undefined {
    const header = this.#frames.peek(HEADER_BYTES);
    if (!header) return undefined;
    const frame = this.#frames.take(HEADER_BYTES + header.readUIntLE(0, 3));
    if (!frame) return undefined;
    this.#sequence = frame.readUInt8(3);
    const length = frame.readUIntLE(4, 3);
    const body = frame.subarray(HEADER_BYTES);
    if (length === 0) return body;
    const inflated = inflateSync(body, { maxOutputLength: length });
    // Whoever takes another number of bytes for it finds other commands in it.
    if (inflated.length !== length) throw new ProtocolError('length', 'a compressed packet of another length');
    return inflated;
  }
}

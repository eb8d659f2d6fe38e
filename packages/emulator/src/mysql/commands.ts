// Watches the commands that a client sends for the one that would change its user.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
import { COM_CHANGE_USER, MAX_PAYLOAD_BYTES } from './protocol.js';

const HEADER_BYTES = 4;

/** How much of some bytes may pass. */
export interface Scan {
  /** This many of the bytes; the rest has to be shown again, with what follows it. */
  readonly forward: number;
  /** The rest begins with a COM_CHANGE_USER. */
  readonly changesUser: boolean;
}

/** Follows the packets of a client. They hold nothing but commands, as files of LOAD DATA LOCAL are not carried. */
export class CommandTracker {
  /** Bytes of the current packet that are still to come. */
  #toCome = 0;
  /** Whether the next packet is the rest of a command that is longer than one. */
  #goesOn = false;

  scan(bytes: Buffer): Scan {
    let at = 0;
    for (;;) {
      const passed = Math.min(this.#toCome, bytes.length - at);
      at += passed;
      this.#toCome -= passed;
      // The first byte of a command says which it is. What goes on has none, and may be empty.
      const left = bytes.length - at;
      if (left < HEADER_BYTES) return { forward: at, changesUser: false };
      const length = bytes.readUIntLE(at, 3);
      if (!this.#goesOn && length > 0) {
        if (left === HEADER_BYTES) return { forward: at, changesUser: false };
        if (bytes[at + HEADER_BYTES] === COM_CHANGE_USER) return { forward: at, changesUser: true };
      }
      this.#goesOn = length === MAX_PAYLOAD_BYTES;
      this.#toCome = length;
      at += HEADER_BYTES;
    }
  }
}

// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './packet.js';

/** Commands, by their first byte. */
export const Command = { quit: 0x01, initDb: 0x02, query: 0x03, changeUser: 0x11 } as const;

/** What of some bytes may pass. */
export interface Scan {
  /** This many bytes; the rest has to be shown again, with what follows it. */
  readonly forward: number;
  /** Whether the rest begins with a COM_CHANGE_USER. */
  readonly changesUser: boolean;
}

/**
 * Follows the packets of a client, after its login, for the command that would change its user.
 *
 * The file of a LOAD DATA LOCAL comes in packets, too. The first of them does not have the sequence number 0, as a command
 * has, and an empty one is the last.
 */
export class CommandTracker {
  /** Bytes of the current packet that are still to come. */
  #toCome = 0;
  /** Whether the next packet is the rest of a payload that is longer than one packet. */
  #goesOn = false;
  #inFile = false;

  /** Follows some bytes, which begin with those that did not pass before. */
  scan(bytes: Buffer): Scan {
    let at = 0;
    for (;;) {
      const passed = Math.min(this.#toCome, bytes.length - at);
      at += passed;
      this.#toCome -= passed;
      const left = bytes.length - at;
      if (left < HEADER_BYTES) return { forward: at, changesUser: false };
      const length = bytes.readUIntLE(at, 3);
      if (!this.#goesOn) {
        if (this.#inFile || bytes[at + 3] !== 0) {
          this.#inFile = length > 0;
        } else if (length > 0) {
          if (left === HEADER_BYTES) return { forward: at, changesUser: false };
          if (bytes[at + HEADER_BYTES] === Command.changeUser) return { forward: at, changesUser: true };
        }
      }
      this.#goesOn = length === MAX_PAYLOAD_BYTES;
      this.#toCome = length;
      at += HEADER_BYTES;
    }
  }
}

// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './packet.js';

/** Commands, by their first byte. */
export const Command = { quit: 0x01, initDb: 0x02, query: 0x03, processKill: 0x0c, changeUser: 0x11 } as const;

/** How much of some bytes may pass. */
export interface Scan {
  /** This many bytes; the rest must be passed in again, along with what follows. */
  readonly forward: number;
  /** Whether the rest begins with a command to hold back. */
  readonly holds: boolean;
}

/**
 * Decides whether to hold back a command, by its first bytes (at least one) and the length of its first packet. `undefined` if
 * that takes more bytes.
 */
export type Holds = (start: Buffer, length: number) => boolean | undefined;

/** Follows what a client sends. */
export interface Tracker {
  /** Follows some bytes, which begin with those that did not pass before. */
  scan(bytes: Buffer): Scan;
}

/**
 * Follows the packets of a client after its login, to hold back certain commands.
 *
 * The file of a LOAD DATA LOCAL also comes in packets. Unlike a command, the first does not have the sequence number 0; the last
 * is empty.
 */
export class CommandTracker implements Tracker {
  /** How many bytes of the current packet are still to come. */
  #toCome = 0;
  /** Whether the next packet continues a payload that is longer than one packet. */
  #goesOn = false;
  #inFile = false;
  readonly #holds: Holds;
  readonly #numbered: boolean;

  /** @param options - `numbered: false` where the server does not look at sequence numbers: any packet can be a command */
  constructor(holds: Holds, { numbered = true }: { readonly numbered?: boolean } = {}) {
    this.#holds = holds;
    this.#numbered = numbered;
  }

  /** Examines some bytes, starting with those that did not pass before. */
  scan(bytes: Buffer): Scan {
    let at = 0;
    for (;;) {
      const passed = Math.min(this.#toCome, bytes.length - at);
      at += passed;
      this.#toCome -= passed;
      const left = bytes.length - at;
      if (left < HEADER_BYTES) return { forward: at, holds: false };
      const length = bytes.readUIntLE(at, 3);
      if (!this.#goesOn) {
        if (this.#numbered && (this.#inFile || bytes[at + 3] !== 0)) {
          this.#inFile = length > 0;
        } else if (length > 0) {
          const start = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
          const holds = start.length === 0 ? undefined : this.#holds(start, length);
          if (holds !== false) return { forward: at, holds: holds === true };
        }
      }
      this.#goesOn = length === MAX_PAYLOAD_BYTES;
      this.#toCome = length;
      at += HEADER_BYTES;
    }
  }
}

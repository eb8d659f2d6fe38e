// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './packet.js';

/** Commands, by their first byte. */
export const Command = { quit: 0x01, initDb: 0x02, query: 0x03, processKill: 0x0c, changeUser: 0x11 } as const;

/** What of some bytes may pass. */
export interface Scan {
  /** This many bytes; the rest has to be shown again, with what follows it. */
  readonly forward: number;
  /** Whether the rest begins with a command that is to be held. */
  readonly holds: boolean;
}

/**
 * Whether a command is to be held, by its first bytes, of which there is one at least, and the length of its first packet.
 * `undefined` if that takes more bytes.
 */
export type Holds = (start: Buffer, length: number) => boolean | undefined;

/** Follows what a client sends. */
export interface Tracker {
  /** Follows some bytes, which begin with those that did not pass before. */
  scan(bytes: Buffer): Scan;
}

/**
 * Follows the packets of a client, after its login, for commands that are not to pass.
 *
 * The file of a LOAD DATA LOCAL comes in packets, too. The first of them does not have the sequence number 0, as a command
 * has, and an empty one is the last.
 */
export class CommandTracker implements Tracker {
  /** Bytes of the current packet that are still to come. */
  #toCome = 0;
  /** Whether the next packet is the rest of a payload that is longer than one packet. */
  #goesOn = false;
  #inFile = false;
  readonly #holds: Holds;
  readonly #numbered: boolean;

  /** @param options - `numbered: false` where the server does not look at sequence numbers: any packet can be a command */
  constructor(holds: Holds, { numbered = true }: { readonly numbered?: boolean } = {}) {
    this.#holds = holds;
    this.#numbered = numbered;
  }

  /** Follows some bytes, which begin with those that did not pass before. */
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

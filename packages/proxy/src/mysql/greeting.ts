import { randomBytes } from 'node:crypto';
import { isConnectionEnded } from '@rds-iam/wire';
import {
  Capability,
  type Greeting,
  MARIADB_CAPABILITIES_OF_SESSIONS,
  Plugin,
  SCRAMBLE_BYTES,
} from '@rds-iam/wire/mysql';

/**
 * Other factors ask for more than a password, nobody knows what else will be said of itself, and Node.js 20 cannot read zstd
 * to see who asks to be somebody else.
 */
const NOT_CARRIED =
  Capability.multiFactorAuthentication | Capability.capabilityExtension | Capability.zstdCompression | Capability.ssl;

/** A greeting that fits any server, while none can be reached: the client is told so after it has proved who it is. */
const ANY_SERVER: Greeting = {
  serverVersion: '8.0.11-rds-iam-proxy',
  connectionId: 0,
  scramble: Buffer.alloc(SCRAMBLE_BYTES),
  // Up to the flags of MySQL 5.7, without compression and TLS.
  capabilities: 0x00ff_f7df,
  mariadbCapabilities: 0,
  characterSet: 45,
  status: 2,
  plugin: Plugin.cachingSha2Password,
};

/**
 * The server's greeting, which clients are shown. It is learned before any client can be greeted, and again from each login.
 * Greeting a client that has not proved who it is must not take a connection to the server.
 */
export class ServerGreeting {
  #known: Greeting | undefined;
  #learning: Promise<void> | undefined;

  /** @param ask - logs in to the server for its greeting */
  async get(ask: () => Promise<Greeting>): Promise<Greeting> {
    while (!this.#known) {
      const isMine = this.#learning === undefined;
      this.#learning ??= this.#learn(ask);
      try {
        await this.#learning;
      } catch (error) {
        // If another client left before the server answered, that says nothing about the server.
        if (isMine || !wasGivenUp(error)) return ANY_SERVER;
      }
    }
    return this.#known;
  }

  set(greeting: Greeting): void {
    this.#known = greeting;
  }

  async #learn(ask: () => Promise<Greeting>): Promise<void> {
    try {
      this.set(await ask());
    } finally {
      this.#learning = undefined;
    }
  }
}

const wasGivenUp = (error: unknown): boolean =>
  isConnectionEnded(error) || (error instanceof Error && error.name === 'AbortError');

/** The greeting for a client: the server's, with the proxy's own scramble and connection id. */
export function offer(server: Greeting, connectionId: number, tls: boolean): Greeting {
  const carried = server.capabilities & ~NOT_CARRIED;
  return {
    ...server,
    connectionId,
    scramble: makeScramble(),
    capabilities: (carried | Capability.pluginAuth | (tls ? Capability.ssl : 0)) >>> 0,
    mariadbCapabilities: server.mariadbCapabilities & MARIADB_CAPABILITIES_OF_SESSIONS,
    plugin: isMariadb(server) ? Plugin.nativePassword : Plugin.cachingSha2Password,
  };
}

/** A scramble of bytes that are allowed in a null-terminated string. */
export const makeScramble = (): Buffer => Buffer.from(randomBytes(SCRAMBLE_BYTES).map((byte) => byte & 0x7f || 0x21));

/** MariaDB leaves out the flag to announce its own flags. */
const isMariadb = ({ capabilities, serverVersion }: Greeting): boolean =>
  !(capabilities & Capability.mysql) || /mariadb/i.test(serverVersion);

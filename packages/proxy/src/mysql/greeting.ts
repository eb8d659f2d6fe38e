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

/** What any server is, for a client that comes while none can be reached: it hears of that once it has proved who it is. */
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
 * What the server says of itself, which is what clients are told. It is learned before any client can be greeted, and again
 * from each login. It must not take a connection to the server to talk to a client that nobody knows yet.
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
        // Another client that left before the server answered says nothing of the server.
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

/** What a client is told: what the server says of itself, with a scramble and an id of the proxy's own. */
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

/** A scramble of bytes that can stand in a string that ends with a zero. */
export const makeScramble = (): Buffer => Buffer.from(randomBytes(SCRAMBLE_BYTES).map((byte) => byte & 0x7f || 0x21));

/** MariaDB leaves the flag out to say that it has flags of its own. */
const isMariadb = ({ capabilities, serverVersion }: Greeting): boolean =>
  !(capabilities & Capability.mysql) || /mariadb/i.test(serverVersion);

import type { Duplex } from 'node:stream';
import * as mysql2 from 'mysql2';

interface Connecting extends mysql2.Connection {
  serverEncoding: string;
}

interface ConnectionClass {
  new (options: { readonly config: object }): Connecting & { addCommand(command: unknown): unknown };
}

const { Connection } = mysql2 as unknown as { readonly Connection: ConnectionClass };

/** Thrown out of a constructor that has done all that is wanted of it. */
class Constructed {
  readonly connection: Connecting;

  constructor(connection: Connecting) {
    this.connection = connection;
  }
}

/** mysql2 tells its diagnostics channels of a connection as soon as its first command, the handshake, is added. */
class UnheardConnection extends Connection {
  override addCommand(command: unknown): never {
    Object.assign(this, { serverEncoding: 'utf8', addCommand: Connection.prototype.addCommand });
    super.addCommand(command);
    throw new Constructed(this);
  }
}

/**
 * A connection of mysql2's that is of nobody's concern: nothing is published on the diagnostics channels `mysql2:connect`, and
 * nothing is printed. It has no deadline.
 *
 * @param config - that of a connection which mysql2 has made of its options, and warned of them
 */
export function connectUnheard(config: object, over: Duplex): mysql2.Connection {
  const own = {
    ...{ stream: over, ssl: false, connectTimeout: 0, debug: undefined },
    // It runs no statement: room for 16,000 of them is most of what a connection of mysql2's costs.
    maxPreparedStatements: 1,
  };
  try {
    return new UnheardConnection({ config: { ...config, ...own } });
  } catch (constructed) {
    if (constructed instanceof Constructed) return constructed.connection;
    throw constructed;
  }
}

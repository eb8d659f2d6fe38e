import type { Duplex } from 'node:stream';
import * as mysql2 from 'mysql2';

interface Connecting extends mysql2.Connection {
  serverEncoding: string;
}

interface ConnectionClass {
  new (options: { readonly config: object }): Connecting & { addCommand(command: unknown): unknown };
}

const { Connection } = mysql2 as unknown as { readonly Connection: ConnectionClass };

/** Thrown to leave a constructor that has done as much as is needed. */
class Constructed {
  readonly connection: Connecting;

  constructor(connection: Connecting) {
    this.connection = connection;
  }
}

/** mysql2 publishes a connection on its diagnostics channels right after its first command, the handshake, is added. */
class UnheardConnection extends Connection {
  override addCommand(command: unknown): never {
    Object.assign(this, { serverEncoding: 'utf8', addCommand: Connection.prototype.addCommand });
    super.addCommand(command);
    throw new Constructed(this);
  }
}

/**
 * A mysql2 connection for internal use: nothing is published on the diagnostics channels `mysql2:connect`, and nothing is
 * printed. It has no deadline.
 *
 * @param config - a connection's configuration that mysql2 has made from its options, with any warnings already given
 */
export function connectUnheard(config: object, over: Duplex): mysql2.Connection {
  const own = {
    ...{ stream: over, ssl: false, connectTimeout: 0, debug: undefined },
    // It runs no statements, and a cache for 16,000 of them is most of the cost of a mysql2 connection.
    maxPreparedStatements: 1,
  };
  try {
    return new UnheardConnection({ config: { ...config, ...own } });
  } catch (constructed) {
    if (constructed instanceof Constructed) return constructed.connection;
    throw constructed;
  }
}

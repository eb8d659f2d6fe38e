import * as mysql2 from 'mysql2';

interface Connecting extends mysql2.Connection {
  serverEncoding: string;
}

interface ConnectionClass {
  new (options: { readonly config: object }): Connecting & { addCommand(command: unknown): unknown };
}

const { Connection, ConnectionConfig } = mysql2 as unknown as {
  readonly Connection: ConnectionClass;
  readonly ConnectionConfig: new (options: object) => object;
};

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
 * `createConnection` of mysql2, for a connection that is of nobody's concern: nothing is published on the diagnostics
 * channels `mysql2:connect`. It has no deadline.
 */
export function connectUnheard(options: object): mysql2.Connection {
  try {
    return new UnheardConnection({ config: new ConnectionConfig(options) });
  } catch (constructed) {
    if (constructed instanceof Constructed) return constructed.connection;
    throw constructed;
  }
}

// The words of MySQL's wire protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
// https://mariadb.com/docs/server/reference/clientserver-protocol

/** Capability flags: https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html */
export const Capability = {
  /** CLIENT_LONG_PASSWORD in MySQL. MariaDB calls it CLIENT_MYSQL, and leaves it out where its own flags follow. */
  mysql: 1 << 0,
  connectWithDb: 1 << 3,
  compress: 1 << 5,
  localFiles: 1 << 7,
  protocol41: 1 << 9,
  ssl: 1 << 11,
  secureConnection: 1 << 15,
  pluginAuth: 1 << 19,
  connectAttrs: 1 << 20,
  pluginAuthLenenc: 1 << 21,
  zstdCompression: 1 << 26,
  multiFactorAuthentication: 1 << 28,
  capabilityExtension: 1 << 29,
} as const;

/**
 * What we do not carry from one side to the other. Compression would frame all that comes after the login anew. A file
 * of LOAD DATA LOCAL comes in packets that nothing tells from commands once their numbers start anew; without the flag
 * the upstream refuses the statement in its own words.
 */
export const NOT_CARRIED =
  Capability.compress |
  Capability.zstdCompression |
  Capability.localFiles |
  Capability.multiFactorAuthentication |
  Capability.capabilityExtension;

/**
 * MariaDB's own flags that only change what goes over a session (progress, bulk operations and their results, extended
 * and cached metadata). COM_MULTI, which is bit 1, could hide a COM_CHANGE_USER.
 */
export const CARRIED_BY_MARIADB = 0b111101;

export const COM_QUIT = 0x01;
export const COM_INIT_DB = 0x02;
export const COM_CHANGE_USER = 0x11;

/** The first byte of what a server says during a login. */
export const Reply = { ok: 0x00, moreData: 0x01, switch: 0xfe, error: 0xff } as const;

export const CLEAR_PASSWORD = 'mysql_clear_password';
export const NATIVE_PASSWORD = 'mysql_native_password';
export const CACHING_SHA2_PASSWORD = 'caching_sha2_password';

/** What the caching_sha2_password plugin says in a Reply.moreData. */
export const Sha2 = { requestPublicKey: 2, fastAuthOk: 3, fullAuth: 4 } as const;

/** A packet that is longer goes on in the next one. */
export const MAX_PAYLOAD_BYTES = 0xffffff;

/** A packet: the length of the payload, a number that counts up from each command's 0, the payload. */
export function encodePacket(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence & 0xff;
  return Buffer.concat([header, payload]);
}

/** A string that ends with a zero. */
export const nulTerminated = (text: string | Buffer): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(1)]);

/** The fields of an ERR packet. */
export interface ErrorReport {
  readonly code: number;
  /** Empty for clients from before it was invented. */
  readonly sqlState: string;
  readonly message: string;
}

export function encodeError({ code, sqlState, message }: ErrorReport): Buffer {
  const head = Buffer.from([Reply.error, code & 0xff, code >> 8]);
  return Buffer.concat([head, Buffer.from(`${sqlState && '#'}${sqlState}${message}`)]);
}

/** Asks to authenticate by another plugin. mysql_clear_password takes no data along. */
export const encodeAuthSwitch = (plugin: string): Buffer =>
  Buffer.concat([Buffer.from([Reply.switch]), nulTerminated(plugin)]);

/** Capability flags: https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html */
export const Capability = {
  /** CLIENT_LONG_PASSWORD in MySQL. MariaDB calls it CLIENT_MYSQL, and leaves it out if its own flags follow. */
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

/** MariaDB's own flags: https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection */
export const MariadbCapability = {
  progress: 1 << 0,
  comMulti: 1 << 1,
  bulkOperations: 1 << 2,
  extendedMetadata: 1 << 3,
  cacheMetadata: 1 << 4,
  bulkUnitResults: 1 << 5,
} as const;

/** The flags that only affect a session. COM_MULTI is not among them: it could hide a command that must not pass. */
export const MARIADB_CAPABILITIES_OF_SESSIONS: number =
  MariadbCapability.progress |
  MariadbCapability.bulkOperations |
  MariadbCapability.extendedMetadata |
  MariadbCapability.cacheMetadata |
  MariadbCapability.bulkUnitResults;

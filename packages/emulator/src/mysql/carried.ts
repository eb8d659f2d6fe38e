// Which capabilities the emulator carries from one side to the other.
import { Capability, MariadbCapability } from '@rds-iam/wire/mysql';

/** Compression would frame all that comes after the login anew, and other factors ask for more than a token. */
export const NOT_CARRIED =
  Capability.compress |
  Capability.zstdCompression |
  Capability.multiFactorAuthentication |
  Capability.capabilityExtension;

/** MariaDB's own flags that only change what goes over a session. A COM_MULTI could hide a COM_CHANGE_USER. */
export const CARRIED_BY_MARIADB =
  MariadbCapability.progress |
  MariadbCapability.bulkOperations |
  MariadbCapability.extendedMetadata |
  MariadbCapability.cacheMetadata |
  MariadbCapability.bulkUnitResults;

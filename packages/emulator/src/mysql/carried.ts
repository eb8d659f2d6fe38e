// Which capabilities the emulator carries from one side to the other.
import { Capability } from '@rds-iam/wire/mysql';

/** Compression would reframe all that comes after the login, and other factors ask for more than a token. */
export const NOT_CARRIED =
  Capability.compress |
  Capability.zstdCompression |
  Capability.multiFactorAuthentication |
  Capability.capabilityExtension;

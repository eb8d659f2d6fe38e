// The capabilities that the emulator passes from one side to the other.
import { Capability } from '@rds-iam/wire/mysql';

/** Compression would change the framing after the login, and more factors would ask for more than a token. */
export const NOT_CARRIED =
  Capability.compress |
  Capability.zstdCompression |
  Capability.multiFactorAuthentication |
  Capability.capabilityExtension;

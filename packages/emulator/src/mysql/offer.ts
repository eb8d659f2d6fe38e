import { Capability, type Greeting, MARIADB_CAPABILITIES_OF_SESSIONS } from '@rds-iam/wire/mysql';
import { NOT_CARRIED } from './carried.js';

/** Our greeting: the upstream's, except for the capabilities. */
export function offer(greeting: Greeting, tls: boolean): Greeting {
  const carried = greeting.capabilities & ~NOT_CARRIED & ~Capability.ssl;
  return {
    ...greeting,
    capabilities: (carried | (tls ? Capability.ssl : 0)) >>> 0,
    mariadbCapabilities: greeting.mariadbCapabilities & MARIADB_CAPABILITIES_OF_SESSIONS,
  };
}

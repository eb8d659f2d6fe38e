import { Capability, type Greeting } from '@rds-iam/wire/mysql';
import { CARRIED_BY_MARIADB, NOT_CARRIED } from './carried.js';

/** What we say of ourselves: all that the upstream says, but for the capabilities. */
export function offer(greeting: Greeting, tls: boolean): Greeting {
  const carried = greeting.capabilities & ~NOT_CARRIED & ~Capability.ssl;
  return {
    ...greeting,
    capabilities: (carried | (tls ? Capability.ssl : 0)) >>> 0,
    mariadbCapabilities: greeting.mariadbCapabilities & CARRIED_BY_MARIADB,
  };
}

import type { Admissions } from './admissions.js';
import type { Clock } from './clock.js';
import type { ClockSkew } from './clock-skew.js';
import type { Credentials } from './credentials.js';
import type { History } from './history.js';
import type { CheckedOptions } from './options.js';
import type { Peers } from './peers.js';
import type { Targets } from './targets.js';
import type { Tokens } from './tokens.js';

/** What all connections made through one `RdsIam` share. */
export interface ConnectContext {
  readonly options: CheckedOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly targets: Targets;
  readonly admissions: Admissions;
  readonly credentials: Credentials;
  readonly tokens: Tokens;
  readonly peers: Peers;
  readonly history: History;
  readonly clockSkew: ClockSkew;
}

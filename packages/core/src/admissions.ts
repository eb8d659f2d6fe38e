import { Admission } from './admission.js';
import { BoundedMap, keyOf } from './bounded-map.js';
import type { Clock } from './clock.js';
import type { Engine } from './engines/engine.js';
import { configError } from './errors.js';
import type { ConnectionLimiter } from './limiter.js';
import type { Target } from './targets.js';

export interface AdmissionsOptions {
  readonly maxConnectionsPerSecond?: number;
  readonly maxWaitingConnections: number;
  readonly limiter?: ConnectionLimiter;
}

/** The admission of each database instance. */
export class Admissions {
  readonly #clock: Clock;
  readonly #options: AdmissionsOptions;
  readonly #byInstance = new BoundedMap<Admission>();

  constructor(clock: Clock, options: AdmissionsOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** @throws RdsIamError `ERR_RDS_IAM_CONFIG` if there is a limiter but no limit to share */
  to({ hostname, port }: Target, engine: Engine): Admission {
    return this.#byInstance.getOrMake(keyOf({ hostname, port }), () => {
      const { limiter, maxWaitingConnections: maxWaiting, maxConnectionsPerSecond } = this.#options;
      const perSecond = maxConnectionsPerSecond ?? engine.connectionsPerSecond;
      if (limiter && !Number.isFinite(perSecond)) {
        throw configError('limiter', 'has no limit to share: give "maxConnectionsPerSecond", too');
      }
      return new Admission(this.#clock, { hostname, port, perSecond, maxWaiting, limiter });
    });
  }
}

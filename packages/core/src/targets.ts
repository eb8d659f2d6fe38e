import { BoundedMap, keyOf } from './bounded-map.js';
import type { Clock } from './clock.js';
import { type Endpoint, followCnames, parseRdsHostname, type ResolveCname, rdsName } from './endpoint.js';
import { configError } from './errors.js';
import { SingleFlight } from './single-flight.js';

/** Where the token is for and whom the certificate must name. */
export interface Target extends Endpoint {
  readonly region: string | undefined;
}

export interface TargetOptions {
  readonly region?: string | undefined;
  readonly resolveCname: boolean;
}

/** What endpoints stand for: RDS names as they are, others where the DNS says they lead, asked once for all who wait. */
export class Targets {
  readonly #options: TargetOptions;
  readonly #clock: Clock;
  readonly #resolveCname: ResolveCname;
  readonly #lookUps = new BoundedMap<SingleFlight<string>>();
  readonly #rdsTargets = new BoundedMap<Target>();

  constructor(options: TargetOptions, clock: Clock, resolveCname: ResolveCname) {
    this.#options = options;
    this.#clock = clock;
    this.#resolveCname = resolveCname;
  }

  /** At once where nothing has to be asked. @throws RdsIamError `ERR_RDS_IAM_CONFIG` or `_ENDPOINT` */
  of(endpoint: Endpoint): Target | Promise<Target> {
    const key = keyOf(endpoint);
    const known = this.#rdsTargets.get(key);
    if (known) return known;
    const { hostname } = endpoint;
    const name = rdsName(hostname);
    if (name !== undefined || !this.#options.resolveCname) {
      const target = this.#target(endpoint, name ?? hostname);
      this.#rdsTargets.set(key, target);
      return target;
    }
    return this.#follow(hostname).then((followed) => this.#target(endpoint, followed));
  }

  /** Anew for each connection, as a failover moves the name, but once for all that ask at a time. */
  #follow(hostname: string): Promise<string> {
    const lookUp = this.#lookUps.getOrMake(hostname, () => new SingleFlight(() => this.#clock.now()));
    return lookUp.run(() => followCnames(hostname, this.#resolveCname));
  }

  #target({ port, username }: Endpoint, hostname: string): Target {
    const named = parseRdsHostname(hostname)?.region;
    const { region } = this.#options;
    if (named !== undefined && region !== undefined && named !== region) {
      throw configError(
        'region',
        `is ${region}, but "${hostname}" is in ${named}: remove "region", which is read from the host name`,
      );
    }
    return { hostname, port, username, region: named ?? region };
  }
}

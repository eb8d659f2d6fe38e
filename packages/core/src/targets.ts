import { BoundedMap, keyOf } from './bounded-map.js';
import type { Clock } from './clock.js';
import { type Endpoint, followCnames, parseRdsHostname, type ResolveCname, settledName } from './endpoint.js';
import { configError } from './errors.js';
import { SingleFlight } from './single-flight.js';

/** The endpoint that the token is for and the certificate must name. */
export interface Target extends Endpoint {
  readonly region: string | undefined;
}

export interface TargetOptions {
  readonly region?: string | undefined;
  readonly resolveCname: boolean;
}

/** Resolves endpoints: RDS names and addresses as they are, others by their CNAMEs, looked up once for everybody who waits. */
export class Targets {
  readonly #options: TargetOptions;
  readonly #clock: Clock;
  readonly #resolveCname: ResolveCname;
  readonly #lookUps = new BoundedMap<SingleFlight<string>>();
  readonly #settled = new BoundedMap<Target>();

  constructor(options: TargetOptions, clock: Clock, resolveCname: ResolveCname) {
    this.#options = options;
    this.#clock = clock;
    this.#resolveCname = resolveCname;
  }

  /** Synchronous if no look-up is needed. @throws RdsIamError `ERR_RDS_IAM_CONFIG` or `_ENDPOINT` */
  of(endpoint: Endpoint): Target | Promise<Target> {
    const key = keyOf(endpoint);
    const known = this.#settled.get(key);
    if (known) return known;
    const { hostname } = endpoint;
    const name = settledName(hostname);
    if (name !== undefined || !this.#options.resolveCname) {
      const target = this.#target(endpoint, name ?? hostname);
      this.#settled.set(key, target);
      return target;
    }
    return this.#follow(hostname).then((followed) => this.#target(endpoint, followed));
  }

  /** Again for each connection, since a failover moves the name, but once for all that ask at the same time. */
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

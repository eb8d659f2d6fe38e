import type { ConnectionOptions } from 'node:tls';
import { BoundedMap, keyOf } from './bounded-map.js';
import { type RootsRequest, rootsKey, type TrustedRoots } from './roots.js';
import { type CaCertificates, type DriverTls, PeerSession, tlsOptions } from './tls.js';

/** TLS for one of a driver's options objects: made once, with a session for each peer. */
export interface PeerTls {
  readonly options: ConnectionOptions;
  sessionWith(identity: string, port: number): PeerSession;
}

/** What TLS connections share: the context, by far the most expensive part of a handshake, and the sessions with servers. */
export class Peers {
  readonly #ca: CaCertificates | undefined;
  readonly #trustedRoots: (request: RootsRequest) => Promise<TrustedRoots>;
  /** By the driver's TLS options object and the roots for its servers. */
  readonly #byDriverOptions = new WeakMap<object, BoundedMap<PeerTls | Promise<PeerTls>>>();
  readonly #withoutDriverTls = {};

  /** @param ca - the certificates to trust in place of the RDS roots, if the driver's options name none */
  constructor(ca: CaCertificates | undefined, trustedRoots: (request: RootsRequest) => Promise<TrustedRoots>) {
    this.#ca = ca;
    this.#trustedRoots = trustedRoots;
  }

  /** Synchronous if it has been made already. */
  tls(ssl: DriverTls, peer: RootsRequest): PeerTls | Promise<PeerTls> {
    const options = typeof ssl === 'object' ? ssl : this.#withoutDriverTls;
    const byRoots = this.#byDriverOptions.get(options) ?? new BoundedMap<PeerTls | Promise<PeerTls>>();
    this.#byDriverOptions.set(options, byRoots);
    const key = this.#given(ssl) === undefined ? rootsKey(peer) : '';
    const known = byRoots.get(key);
    if (known) return known;
    const making = this.#make(ssl, peer).then(
      (made) => {
        byRoots.set(key, made);
        return made;
      },
      (error: unknown) => {
        // A failure for want of file descriptors may not happen again.
        byRoots.delete(key);
        throw error;
      },
    );
    byRoots.set(key, making);
    return making;
  }

  /** Whose certificates are trusted, in words. */
  async trusted(ssl: DriverTls, peer: RootsRequest): Promise<string> {
    return this.#given(ssl) === undefined ? (await this.#trustedRoots(peer)).description : 'those of "ca"';
  }

  async #make(ssl: DriverTls, peer: RootsRequest): Promise<PeerTls> {
    const options = tlsOptions(ssl, this.#given(ssl) ?? (await this.#trustedRoots(peer)).certificates);
    const sessions = new BoundedMap<PeerSession>();
    return {
      options,
      sessionWith: (hostname, port) => sessions.getOrMake(keyOf({ hostname, port }), () => new PeerSession()),
    };
  }

  #given(ssl: DriverTls): CaCertificates | undefined {
    const own = typeof ssl === 'object' ? (ssl.ca as CaCertificates | undefined) : undefined;
    return own ?? this.#ca;
  }
}

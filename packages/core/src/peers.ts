import type { ConnectionOptions } from 'node:tls';
import { BoundedMap, keyOf } from './bounded-map.js';
import { type RootsRequest, rootsKey, type TrustedRoots } from './roots.js';
import { type CaCertificates, type DriverTls, PeerSession, tlsOptions } from './tls.js';

/** TLS as one object of a driver's options asks for it: made once, with a session for each peer. */
export interface PeerTls {
  readonly options: ConnectionOptions;
  sessionWith(identity: string, port: number): PeerSession;
}

/** What connections over TLS share: the context, by far the dearest part of a handshake, and the sessions with servers. */
export class Peers {
  readonly #ca: CaCertificates | undefined;
  readonly #trustedRoots: (request: RootsRequest) => Promise<TrustedRoots>;
  /** By the object of TLS options that a driver was configured with, and the roots for its servers. */
  readonly #byDriverOptions = new WeakMap<object, BoundedMap<PeerTls | Promise<PeerTls>>>();
  readonly #withoutDriverTls = {};

  /** @param ca - those that are trusted in place of the roots of RDS, where the driver's options name none */
  constructor(ca: CaCertificates | undefined, trustedRoots: (request: RootsRequest) => Promise<TrustedRoots>) {
    this.#ca = ca;
    this.#trustedRoots = trustedRoots;
  }

  /** At once where it is there. */
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
        // What failed because there were no file descriptors left may work the next time.
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

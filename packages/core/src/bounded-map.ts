import type { Endpoint } from './endpoint.js';

/** A map that drops its oldest entry when it is full: there is no limit to how many names, users and peers can turn up. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;

  constructor(max = 1_024) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#max) this.#entries.delete(this.#entries.keys().next().value as string);
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  getOrMake(key: string, make: () => V): V {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.set(key, made);
    return made;
  }
}

/** The key of an endpoint and, if one is given, a user. No part can contain the separator. */
export function keyOf({ hostname, port, username }: Pick<Endpoint, 'hostname' | 'port'> & Partial<Endpoint>): string {
  return username === undefined ? `${hostname}\n${port}` : `${hostname}\n${port}\n${username}`;
}

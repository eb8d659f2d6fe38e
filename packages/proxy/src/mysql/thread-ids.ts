/** Higher than any connection id of a server, but within the integers that every client can read. */
const FIRST_ID = 1_000_000_000;
const MAX_ID = 0x7fff_ffff;

/**
 * The connection ids that clients see. A client gets one before there is a connection to the server; a `KILL` of it, by any
 * client, is translated to the server's id.
 */
export class ThreadIds {
  readonly #serverIds = new Map<number, number>();
  #next = FIRST_ID;

  make(): number {
    const id = this.#next;
    this.#next = id === MAX_ID ? FIRST_ID : id + 1;
    return id;
  }

  set(id: number, serverId: number): void {
    this.#serverIds.set(id, serverId);
  }

  delete(id: number): void {
    this.#serverIds.delete(id);
  }

  /** The server's id for a client's id; any other id is returned unchanged. */
  serverIdOf(id: number): number {
    return this.#serverIds.get(id) ?? id;
  }
}

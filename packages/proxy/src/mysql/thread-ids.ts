/** Above what a server counts its connections to, and within what every client reads as a number. */
const FIRST_ID = 1_000_000_000;
const MAX_ID = 0x7fff_ffff;

/**
 * The ids by which clients know their connections. A client is told one before there is a connection to the server that
 * could have one; a `KILL` of it, by whichever client, is for the server's own.
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

  /** The server's id for one of a client's; any other stays as it is. */
  serverIdOf(id: number): number {
    return this.#serverIds.get(id) ?? id;
  }
}

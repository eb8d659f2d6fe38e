/** A record of a driver's visible behavior, in order, to compare ours with the plain one. */
export class Seen {
  readonly list: string[] = [];

  add(what: string): void {
    this.list.push(what);
  }

  /** Records these events, and returns the emitter. */
  of<Emitter extends NodeJS.EventEmitter>(emitter: Emitter, events: readonly string[]): Emitter {
    for (const event of events) emitter.on(event, () => this.add(event));
    return emitter;
  }

  async outcome(name: string, work: PromiseLike<unknown>): Promise<void> {
    await work.then(
      () => this.add(`${name} resolves`),
      () => this.add(`${name} rejects`),
    );
  }

  callback(name: string): (error?: unknown) => void {
    return (error) => this.add(`${name} is called${error ? ' with an error' : ''}`);
  }
}

/** One turn of the event loop. */
export const turn = (): Promise<unknown> => new Promise(setImmediate);

/** Resolves the next time that this is emitted, even if it is an error. */
export const next = (emitter: NodeJS.EventEmitter, event: string): Promise<unknown> =>
  new Promise((resolve) => emitter.once(event, resolve));

/** Bytes in the chunks in which they arrived. Chunks are joined only once, when they are taken. */
export class ByteQueue {
  #pieces: Buffer[] = [];
  #length = 0;

  /** How many bytes are in it. */
  get length(): number {
    return this.#length;
  }

  /** Appends a chunk. */
  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** The first bytes, without removing them; `undefined` while there are fewer. */
  peek(size: number): Buffer | undefined {
    if (this.#length < size) return undefined;
    const first = this.#pieces[0];
    if (first !== undefined && first.length >= size) return first.subarray(0, size);
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all.subarray(0, size);
  }

  /** Removes and returns the first bytes; `undefined` while there are fewer. */
  take(size: number): Buffer | undefined {
    const taken = this.peek(size);
    const first = this.#pieces[0];
    if (taken === undefined || first === undefined) return taken;
    this.#length -= size;
    if (first.length === size) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(size);
    return taken;
  }
}

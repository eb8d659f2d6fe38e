/** Time, as what waits needs it. In milliseconds. */
export interface Clock {
  now(): number;
  /** Calls back after a time; returns how to call it off. */
  after(delayMs: number, callback: () => void): () => void;
}

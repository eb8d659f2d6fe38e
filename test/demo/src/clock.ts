/**
 * Moves this process's `Date`, so that tokens expire without anybody waiting: ours, the signer's and the emulator's
 * clocks are all this one. Timers and the database go on as they were.
 */
export function moveClock(byMs: number): void {
  const RealDate = Date;
  const movedNow = () => RealDate.now() + byMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given: []) => (given.length === 0 ? new target(movedNow()) : new target(...given)),
    get: (target, name) => (name === 'now' ? movedNow : Reflect.get(target, name)),
  });
}

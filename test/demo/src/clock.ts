/**
 * Moves this process's `Date`, so that tokens expire without waiting: we, the signer and the emulator all use it. Timers and the
 * database are not affected.
 */
export function moveClock(byMs: number): void {
  const RealDate = Date;
  const movedNow = () => RealDate.now() + byMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given: []) => (given.length === 0 ? new target(movedNow()) : new target(...given)),
    get: (target, name) => (name === 'now' ? movedNow : Reflect.get(target, name)),
  });
}

import { expect, test } from 'vitest';
import { SingleFlight } from '../src/single-flight.js';

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('a flight that was overtaken gives its result to its own callers and is not kept', async () => {
  const kept: string[] = [];
  const flight = new SingleFlight<string>(
    () => 0,
    (value) => kept.push(value),
  );
  const [slow, quick] = [deferred<string>(), deferred<string>()];
  const first = flight.run(() => slow.promise);
  const second = flight.run(() => quick.promise, { fresh: true });
  quick.resolve('new');
  expect(await second).toBe('new');
  slow.resolve('old');
  expect(await first).toBe('old');
  expect(kept).toEqual(['new']);
});

test('a flight that fails is not joined by those who come after', async () => {
  const flight = new SingleFlight<string>(
    () => 0,
    () => {},
  );
  await expect(flight.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(flight.running).toBe(false);
  expect(await flight.run(async () => 'yes')).toBe('yes');
});

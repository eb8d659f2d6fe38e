import { expect, test } from 'vitest';
import { SingleFlight } from '../src/single-flight.js';

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('the result of a flight that was overtaken goes to its own callers and is not kept', async () => {
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

test('later callers do not join a flight that has failed', async () => {
  const flight = new SingleFlight<string>(
    () => 0,
    () => {},
  );
  await expect(flight.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(flight.running).toBe(false);
  expect(await flight.run(async () => 'yes')).toBe('yes');
});

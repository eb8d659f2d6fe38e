import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test, vi } from 'vitest';
import { publish } from '../src/diagnostics.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a subscriber right after a garbage collection misses nothing', async () => {
  const event = { hostname: 'db', port: 5432, username: 'app', dialed: 'db', attempt: 1, waitedMs: 0 };
  publish('rds-iam:connection:admitted', () => event);
  await nextTurn();

  let isSwept = false;
  const sweep = new FinalizationRegistry(() => {
    isSwept = true;
  });
  (() => sweep.register({}, undefined))();
  collectGarbage();
  let seen = 0;
  const listen = () => {
    seen++;
  };
  subscribe('rds-iam:connection:admitted', listen);
  onTestFinished(() => void unsubscribe('rds-iam:connection:admitted', listen));
  await vi.waitFor(() => expect(isSwept).toBe(true), { interval: 1 });

  publish('rds-iam:connection:admitted', () => event);
  expect(seen).toBe(1);
});

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RdsIamEvents } from '@rds-iam/core';
import { onTestFinished } from 'vitest';

/** Listens to the events of a channel for the rest of the test. */
export function listen<Name extends keyof RdsIamEvents>(name: Name, to: (event: RdsIamEvents[Name]) => void): void {
  const listener = (event: unknown) => to(event as RdsIamEvents[Name]);
  subscribe(name, listener);
  onTestFinished(() => {
    unsubscribe(name, listener);
  });
}

/** Counts the events of a channel for the rest of the test. */
export function count(name: keyof RdsIamEvents): () => number {
  let events = 0;
  listen(name, () => {
    events++;
  });
  return () => events;
}

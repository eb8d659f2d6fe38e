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

/**
 * Counts the events of a channel for the rest of the test.
 *
 * @param username - counts the logins of this user only: what an earlier test left behind may still be connecting
 */
export function count(name: keyof RdsIamEvents, username?: string): () => number {
  let events = 0;
  listen(name, (event) => {
    if (username === undefined || ('username' in event && event.username === username)) events++;
  });
  return () => events;
}

import { describeLogins, type Engine, type Subject } from '@rds-iam/conformance';
import { describe, test } from 'vitest';
import { type NamedDatabase, namedDatabase, VARIABLES } from './environment.js';
import { openPlace } from './place.js';

/** Runs the contract of packages on the database that the environment names for their engine. */
export function describeOnRds(subjects: readonly Subject[]): void {
  for (const subject of subjects) {
    onRds(subject.engine, subject.name, (named) => describeLogins(subject, () => openPlace(subject.engine, named)));
  }
}

/** Declares tests for the database that the environment names for an engine, or a skipped one if there is none. */
export function onRds(engine: Engine, name: string, declare: (named: NamedDatabase) => void): void {
  const named = namedDatabase(engine);
  if (named) declare(named);
  else describe(name, () => test.skip(`${VARIABLES[engine]} is not set`, () => {}));
}

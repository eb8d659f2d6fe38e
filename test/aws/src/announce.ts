import type { Engine } from '@rds-iam/conformance';
import { namedDatabase, VARIABLES } from './environment.js';

/** Prints what the tests run on, and what they skip because a variable is not set. */
export default function announce(): void {
  for (const engine of ['postgres', 'mysql'] satisfies Engine[]) {
    const named = namedDatabase(engine);
    const what = named
      ? `${engine}: ${named.hostname}:${named.port} as ${named.username}`
      : `${engine}: SKIPPED, as ${VARIABLES[engine]} is not set (see test/aws/README.md)`;
    process.stderr.write(`test/aws: ${what}\n`);
  }
}

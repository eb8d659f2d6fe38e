import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL that trusts everybody on loopback, shared by all test files: make your own roles and databases. */
    postgres: { readonly hostname: string; readonly port: number };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgres();
  project.provide('postgres', { hostname: postgres.hostname, port: postgres.port });
  return () => postgres.close();
}

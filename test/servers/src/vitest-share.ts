import type { ProvidedContext } from 'vitest';
import type { TestProject } from 'vitest/node';
import { type ProvidedServer, provideServer } from './server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL that trusts everybody on loopback, shared by all test files: make your own roles and databases. */
    postgres: { readonly hostname: string; readonly port: number };
    /** A MySQL or MariaDB shared by all test files: make your own accounts and databases, with that of the superuser. */
    mysql: {
      readonly hostname: string;
      readonly port: number;
      /** Options for `createConnection`, in addition to host and port. */
      readonly superuser: { readonly user: string; readonly password: string };
    };
  }
}

/**
 * A vitest globalSetup that gives one server to all projects. Vitest runs the setups of those projects only that have a
 * file in the run, and that of the root.
 */
export function share<E extends 'postgres' | 'mysql'>(
  engine: E,
  context: (server: ProvidedServer) => ProvidedContext[E] | Promise<ProvidedContext[E]>,
): (project: TestProject) => Promise<(() => Promise<void>) | undefined> {
  return async (project) => {
    const root = project.vitest.getRootProject();
    if (root.getProvidedContext()[engine]) return undefined;
    const server = await provideServer(engine);
    root.provide(engine, await context(server));
    return server.close;
  };
}

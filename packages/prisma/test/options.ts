import type { Stack } from '@rds-iam/conformance';
import { createRdsIamAdapter, type MysqlOptions, type PostgresqlOptions } from '../src/index.js';
import type { Provider } from './client.js';

/** The address of a stack, in the options of both drivers. */
export function whereOf({ emulator, username, database, iam }: Stack) {
  return { host: 'localhost', port: emulator.port, user: username, database, iam };
}

/** Makes the adapter with options that TypeScript would not allow, as in JavaScript. */
export function adapterOf(provider: Provider, options: object, adapterOptions?: object) {
  return provider === 'mysql'
    ? createRdsIamAdapter({ provider, ...options } as MysqlOptions, adapterOptions)
    : createRdsIamAdapter({ provider, ...options } as PostgresqlOptions, adapterOptions);
}

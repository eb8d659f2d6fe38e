import type { TLSSocket } from 'node:tls';
import * as conformance from '@rds-iam/conformance';
import type { EmulatorOptions } from '@rds-iam/emulator';

export { CREDENTIALS, REGION, type Stack } from '@rds-iam/conformance';

export const startStack = (options?: Partial<EmulatorOptions>): Promise<conformance.Stack> =>
  conformance.startStack('mysql', options);

/** The TLS socket of a mysql2 connection, with callbacks or promises. */
export function socketOf(connection: object): TLSSocket {
  const { connection: callbackForm = connection } = connection as { readonly connection?: object };
  return (callbackForm as { readonly stream: { readonly socket: TLSSocket } }).stream.socket;
}

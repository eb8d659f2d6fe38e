import type { TLSSocket } from 'node:tls';
import * as conformance from '@rds-iam/conformance';
import type { EmulatorOptions } from '@rds-iam/emulator';

export { CREDENTIALS, REGION } from '@rds-iam/conformance';

/** A stack, with what a user of mysql2 would configure to log in. */
export interface Stack extends conformance.Stack {
  readonly config: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
    readonly iam: conformance.Stack['iam'];
  };
}

export async function startStack(options?: Partial<EmulatorOptions>): Promise<Stack> {
  const stack = await conformance.startStack('mysql', options);
  const { emulator, username: user, database, iam } = stack;
  return { ...stack, config: { host: 'localhost', port: emulator.port, user, database, iam } };
}

/** The TLS socket under a connection of mysql2's, callback or promise form, to look at. */
export function socketOf(connection: object): TLSSocket {
  const { connection: callbackForm = connection } = connection as { readonly connection?: object };
  return (callbackForm as { readonly stream: { readonly socket: TLSSocket } }).stream.socket;
}

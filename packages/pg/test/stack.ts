import * as conformance from '@rds-iam/conformance';
import type { EmulatorOptions } from '@rds-iam/emulator';

export { CREDENTIALS, REGION } from '@rds-iam/conformance';

/** A stack, with what a user of pg would configure to log in. */
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
  const stack = await conformance.startStack('postgres', options);
  const { emulator, username: user, database, iam } = stack;
  return { ...stack, config: { host: 'localhost', port: emulator.port, user, database, iam } };
}

import * as conformance from '@rds-iam/conformance';
import type { EmulatorOptions } from '@rds-iam/emulator';

export { CREDENTIALS, REGION, type Stack } from '@rds-iam/conformance';

export const startStack = (options?: Partial<EmulatorOptions>): Promise<conformance.Stack> =>
  conformance.startStack('postgres', options);

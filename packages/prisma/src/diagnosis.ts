import { isRdsIamError } from '@rds-iam/core';

// `never` parameters, so that methods of every signature match.
type Method = (...args: never[]) => Promise<unknown>;

/** The methods of an adapter that open connections. */
interface Adapter {
  queryRaw: Method;
  executeRaw: Method;
  startTransaction: Method;
}

/**
 * Puts our error where Prisma's users find the driver's. Prisma turns an error with a `code` into a
 * `PrismaClientKnownRequestError` with its message and code, and keeps only `meta` of the rest: so our error goes there, under
 * Prisma's name for driver errors. From `$transaction(async …)` it comes unchanged.
 */
export function withDiagnosis<A extends Adapter>(adapter: A): A {
  for (const name of ['queryRaw', 'executeRaw', 'startTransaction'] as const) {
    const method = adapter[name].bind(adapter);
    adapter[name] = (...args) =>
      method(...args).catch((error: unknown) => {
        throw diagnosisOf(error);
      });
  }
  return adapter;
}

/** Our error with Prisma's `meta`, or any other error unchanged. */
export function diagnosisOf(error: unknown): unknown {
  // pg-pool wraps our error in one of its own when `connectionTimeoutMillis` has run out.
  const diagnosis = [error, (error as Error | undefined)?.cause].find(isRdsIamError);
  if (!diagnosis) return error;
  return Object.defineProperty(diagnosis, 'meta', { value: { driverAdapterError: diagnosis } });
}

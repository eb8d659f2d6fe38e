import { isRdsIamError } from '@rds-iam/core';

// Parameters as in a base that methods of every shape extend.
type Method = (...args: never[]) => Promise<unknown>;

/** What of an adapter opens connections. */
interface Adapter {
  queryRaw: Method;
  executeRaw: Method;
  startTransaction: Method;
}

/**
 * Puts our error where Prisma's users find the driver's. Around an error that has a `code` Prisma makes a
 * `PrismaClientKnownRequestError`, with its message and its code, and of the rest keeps `meta` alone: so there our error
 * is, under the name that Prisma has for errors of drivers. From `$transaction(async …)` it comes as it is.
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

/** Our error with Prisma's `meta`, or another as it is. */
export function diagnosisOf(error: unknown): unknown {
  // pg's pool puts an error of its own on top when `connectionTimeoutMillis` ran out.
  const diagnosis = [error, (error as Error | undefined)?.cause].find(isRdsIamError);
  if (!diagnosis) return error;
  return Object.defineProperty(diagnosis, 'meta', { value: { driverAdapterError: diagnosis } });
}

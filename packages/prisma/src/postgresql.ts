// biome-ignore lint/suspicious/noTsIgnore: it stays in the declarations, for users without this adapter
/** @ts-ignore */
import { PrismaPg } from '@prisma/adapter-pg';
import { rdsIamOf, type WithIam } from '@rds-iam/core/adapter';
import { iamPoolConfig, type PoolConfig } from '@rds-iam/pg';
import { withDiagnosis } from './diagnosis.js';

type Arguments = ConstructorParameters<typeof PrismaPg>;

/** pg's own `PoolConfig`, with `iam` in place of `password`, for the provider `postgresql`. */
export type PostgresqlOptions = { readonly provider: 'postgresql' } & WithIam<
  Exclude<Arguments[0], string | { query: unknown }>
>;

/** The options of `PrismaPg` itself, such as `schema`. */
export type PostgresqlAdapterOptions = Omit<NonNullable<Arguments[1]>, 'disposeExternalPool'>;

/** What `PrismaPg` is to `PrismaClient`. */
export type PostgresqlAdapter = Pick<PrismaPg, keyof PrismaPg>;

/**
 * `PrismaPg`, which makes a pool from its own copy of pg for each `connect()`. The hook is that pool's `Client` option, so it
 * does not matter which copy of pg the adapter recognizes pools of.
 */
export function postgresqlAdapter(
  { provider: _, iam: given, ...config }: PostgresqlOptions,
  adapterOptions?: PostgresqlAdapterOptions,
): PostgresqlAdapter {
  const iam = rdsIamOf(given);
  if (!iam.enabled) return new PrismaPg(config, adapterOptions);
  const newFactory = (ended: AbortController) =>
    new PrismaPg(iamPoolConfig({ ...config, iam } as PoolConfig, ended.signal), adapterOptions);

  async function connect() {
    const ended = new AbortController();
    const adapter = await newFactory(ended).connect();
    const dispose = adapter.dispose.bind(adapter);
    adapter.dispose = () => {
      ended.abort();
      return dispose();
    };
    return withDiagnosis(adapter);
  }
  return Object.assign(newFactory(new AbortController()), { connect });
}

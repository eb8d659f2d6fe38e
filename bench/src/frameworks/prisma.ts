import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import { createRdsIamAdapter } from '@rds-iam/prisma';
import type { BenchDatabase } from '../databases.js';
import type { Contender, Framework } from './framework.js';

/** Without a generated client, since everything that our package adds is in the adapter below it. */
export const prisma: Framework = {
  name: 'Prisma',
  withIam: (to, iam) =>
    to.engine === 'postgres'
      ? contender(createRdsIamAdapter({ provider: 'postgresql', ...configOf(to), iam }))
      : contender(createRdsIamAdapter({ provider: 'mysql', ...configOf(to), iam })),
  withPassword(to, { password, ca }) {
    const config = { ...configOf(to), password, ssl: { ca } };
    return contender(to.engine === 'postgres' ? new PrismaPg(config) : new PrismaMariaDb(config));
  },
};

function configOf({ host, port, user, database }: BenchDatabase) {
  return { host, port, user, database };
}

interface AdapterFactory {
  connect(): Promise<Adapter>;
}

interface Adapter {
  queryRaw(query: { sql: string; args: unknown[]; argTypes: [] }): Promise<unknown>;
  dispose(): Promise<void>;
}

async function contender(factory: AdapterFactory): Promise<Contender> {
  const query = { sql: 'select 1', args: [], argTypes: [] as [] };
  const adapter = await factory.connect();
  return {
    async openAndClose() {
      const another = await factory.connect();
      await another.queryRaw(query);
      await another.dispose();
    },
    query: () => adapter.queryRaw(query),
    end: () => adapter.dispose(),
  };
}

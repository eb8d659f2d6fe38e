import { withRdsIam } from '@rds-iam/knex';
import createKnex, { type Knex } from 'knex';
import type { BenchDatabase } from '../databases.js';
import type { Contender, Framework } from './framework.js';

export const knex: Framework = {
  name: 'Knex',
  withIam: async (to, iam) =>
    contender(
      to.engine === 'postgres'
        ? withRdsIam({ client: 'pg', connection: connectionOf(to), iam })
        : withRdsIam({ client: 'mysql2', connection: connectionOf(to), iam }),
    ),
  async withPassword(to, { password, ca }) {
    const ssl = to.engine === 'mysql' ? { ca, verifyIdentity: true } : { ca };
    const clear = to.engine === 'mysql' && { enableCleartextPlugin: true };
    return contender({
      client: to.engine === 'postgres' ? 'pg' : 'mysql2',
      connection: { ...connectionOf(to), password, ssl, ...clear },
    });
  },
};

function connectionOf({ host, port, user, database }: BenchDatabase) {
  return { host, port, user, database };
}

function contender(config: Knex.Config): Contender {
  const knex = createKnex(config);
  return {
    async openAndClose() {
      await knex.client.destroyRawConnection(await knex.client.acquireRawConnection());
    },
    query: () => knex.select(knex.raw('1')),
    end: () => knex.destroy(),
  };
}

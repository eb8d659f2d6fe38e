import { promisify } from 'node:util';
import { withRdsIam } from '@rds-iam/typeorm';
import type { Pool as MysqlPool, PoolConnection } from 'mysql2';
import type { Pool as PgPool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { BenchDatabase } from '../databases.js';
import type { Contender, Framework } from './framework.js';

export const typeorm: Framework = {
  name: 'TypeORM',
  withIam: (to, iam) =>
    contender(
      to,
      to.engine === 'postgres'
        ? withRdsIam({ type: 'postgres', ...optionsOf(to), iam })
        : withRdsIam({ type: 'mysql', ...optionsOf(to), iam }),
    ),
  withPassword(to, { password, ca }) {
    const ssl = to.engine === 'mysql' ? { ca, verifyIdentity: true } : { ca };
    const extra = to.engine === 'mysql' ? { enableCleartextPlugin: true } : {};
    return contender(to, { type: to.engine, ...optionsOf(to), password, ssl, extra } as DataSourceOptions);
  },
};

function optionsOf({ host, port, user, database }: BenchDatabase) {
  return { host, port, username: user, database, poolSize: 4 };
}

async function contender({ engine }: BenchDatabase, options: DataSourceOptions): Promise<Contender> {
  const dataSource = await new DataSource(options).initialize();
  const driver = dataSource.driver as unknown as { readonly master: PgPool; readonly pool: MysqlPool };
  return {
    async openAndClose() {
      if (engine === 'postgres') return (await driver.master.connect()).release(true);
      const { pool } = driver;
      const connection: PoolConnection = await promisify(pool.getConnection.bind(pool))();
      return connection.destroy();
    },
    query: () => dataSource.query('select 1'),
    end: () => dataSource.destroy(),
  };
}

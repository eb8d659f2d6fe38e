import { withRdsIam } from '@rds-iam/sequelize';
import { type Options, Sequelize } from 'sequelize';
import type { BenchDatabase } from '../databases.js';
import type { Contender, Framework } from './framework.js';

export const sequelize: Framework = {
  name: 'Sequelize',
  withIam: async (to, iam) => contender(withRdsIam({ ...optionsOf(to), iam })),
  async withPassword(to, { password, ca }) {
    const ssl = to.engine === 'mysql' ? { ca, verifyIdentity: true } : { ca };
    const clear = to.engine === 'mysql' && { enableCleartextPlugin: true };
    return contender({ ...optionsOf(to), password, dialectOptions: { ssl, ...clear } });
  },
};

function optionsOf({ engine, host, port, user, database }: BenchDatabase) {
  return { dialect: engine, host, port, username: user, database, logging: false } as const;
}

/** The parts of Sequelize's connection manager that its types leave out. */
interface ConnectionManager {
  getConnection(options: object): Promise<object>;
  destroyConnection(connection: object): Promise<void>;
}

function contender(options: Options): Contender {
  const sequelize = new Sequelize(options);
  const connections = sequelize.connectionManager as unknown as ConnectionManager;
  return {
    openAndClose: async () => connections.destroyConnection(await connections.getConnection({ type: 'write' })),
    query: () => sequelize.query('select 1'),
    end: () => sequelize.close(),
  };
}

import type { Engine } from './engine.js';
import { mysql } from './mysql.js';
import { postgres } from './postgres.js';

/** For `connect` without an engine: asks each engine of RDS in turn, since their codes and numbers do not overlap. */
export const unnamed: Engine = {
  name: 'database',
  connectionsPerSecond: Number.POSITIVE_INFINITY,
  account: {
    isNone: 'has no IAM login',
    has: 'its IAM login',
    make: `${postgres.account.make} (PostgreSQL) or ${mysql.account.make} (MySQL)`,
  },
  classify: (error) => postgres.classify(error) ?? mysql.classify(error),
};

import { Sequelize } from 'sequelize';
import options from './postgres.config.js';
import { sellTea } from './shop.js';

const sequelize = new Sequelize(options);
try {
  await sellTea(sequelize);
} finally {
  await sequelize.close();
}

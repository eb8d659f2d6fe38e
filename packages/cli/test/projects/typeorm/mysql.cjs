const { DataSource } = require('typeorm');

module.exports = new DataSource({
  type: 'mysql',
  url: process.env['DATABASE_URL'],
  migrations: [`${__dirname}/migrations/*.cjs`],
});

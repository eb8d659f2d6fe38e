const { DataSource } = require('typeorm');

module.exports = new DataSource({
  type: 'mysql',
  url: process.env['DATABASE_URL'],
  // TypeORM takes neither from a URL.
  ssl: { verifyIdentity: true },
  extra: { enableCleartextPlugin: true },
  migrations: [`${__dirname}/migrations/*.cjs`],
});

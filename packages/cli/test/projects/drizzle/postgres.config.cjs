module.exports = {
  dialect: 'postgresql',
  schema: './postgres.schema.cjs',
  out: process.env['OUT'],
  dbCredentials: { url: process.env['DATABASE_URL'] },
  migrations: { schema: process.env['SCHEMA'] },
};

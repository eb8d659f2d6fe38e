module.exports = {
  dialect: 'mysql',
  schema: './mysql.schema.cjs',
  out: process.env['OUT'],
  // Else push asks whether the table is another one under a new name.
  tablesFilter: [process.env['TABLE']],
  dbCredentials: { url: process.env['DATABASE_URL'] },
};

export default { datasource: { url: process.env['DATABASE_URL'] } };

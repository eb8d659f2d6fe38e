// Opens two connections to each of several servers, of which most have something wrong, and prints what came of them.
const OPENERS = {
  async pg(options) {
    const { Pool } = await import('@rds-iam/pg');
    const pool = new Pool(options);
    return { query: async (sql) => (await pool.query(sql)).rows[0].name, end: () => pool.end() };
  },
  async mysql2(options) {
    const { createPool } = await import('@rds-iam/mysql2/promise');
    const pool = createPool(options);
    return { query: async (sql) => (await pool.query(sql))[0][0].name, end: () => pool.end() };
  },
};

const { open, sql } = {
  pg: { open: OPENERS.pg, sql: 'select current_user as name, pg_sleep(0.2)' },
  mysql2: { open: OPENERS.mysql2, sql: "select substring_index(current_user(), '@', 1) as name, sleep(0.2)" },
}[process.env.DRIVER];

async function visit({ port, ca, patienceMs }) {
  const credentials = {
    accessKeyId: process.env.ACCESS_KEY_ID,
    secretAccessKey: process.env.SECRET_ACCESS_KEY,
  };
  const iam = { region: 'eu-west-1', credentials, ca, retry: { patienceMs } };
  const pool = await open({ host: '127.0.0.1', port, user: 'app', database: 'shop', iam });
  const results = await Promise.allSettled([pool.query(sql), pool.query(sql)]);
  await pool.end();
  return results.map(({ value, reason }) => value ?? reason.code);
}

const servers = Object.entries(JSON.parse(process.env.SERVERS));
const visits = await Promise.all(servers.map(async ([name, server]) => [name, await visit(server)]));
console.log(JSON.stringify(Object.fromEntries(visits)));

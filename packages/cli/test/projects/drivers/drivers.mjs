// What each driver of Node.js makes of DATABASE_URL as it is, and at other ports of the same host: one line of JSON.
const { query, names, ports, timeoutMs } = JSON.parse(process.argv[2]);

const DRIVERS = {
  async pg(url, query) {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs });
    await client.connect();
    const { rows } = await client.query(query);
    await client.end();
    return rows[0].who;
  },
  async 'postgres.js'(url, query) {
    const { default: postgres } = await import('postgres');
    const sql = postgres(url, { max: 1, connect_timeout: timeoutMs / 1_000 });
    const [row] = await sql.unsafe(query);
    await sql.end();
    return row.who;
  },
  async '@prisma/adapter-pg'(url, query) {
    const { PrismaPg } = await import('@prisma/adapter-pg');
    return firstOf(await new PrismaPg({ connectionString: url, connectionTimeoutMillis: timeoutMs }).connect(), query);
  },
  async mysql2(url, query) {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection({ uri: url, connectTimeout: timeoutMs });
    const [rows] = await connection.query(query);
    await connection.end();
    return rows[0].who;
  },
  async '@prisma/adapter-mariadb'(url, query) {
    const { PrismaMariaDb } = await import('@prisma/adapter-mariadb');
    return firstOf(await new PrismaMariaDb(`${url}&acquireTimeout=${timeoutMs}&connectionLimit=1`).connect(), query);
  },
};

async function firstOf(adapter, sql) {
  try {
    return (await adapter.queryRaw({ sql, args: [], argTypes: [] })).rows[0][0];
  } finally {
    await adapter.dispose();
  }
}

async function attempt(name, url, query) {
  try {
    return [name, await DRIVERS[name](url, query)];
  } catch (error) {
    return [name, { error: error.message }];
  }
}

const outcomes = await Promise.all(
  ports.map(async (port) => {
    const url = process.env.DATABASE_URL.replace(/:\d+\//, `:${port}/`);
    return Object.fromEntries(await Promise.all(names.map((name) => attempt(name, url, query))));
  }),
);
// Some leave a pool behind a login that failed.
process.stdout.write(JSON.stringify(outcomes), () => process.exit());

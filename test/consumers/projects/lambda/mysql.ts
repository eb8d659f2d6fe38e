import { createPool } from '@rds-iam/mysql2/promise';

const iam = {
  region: 'eu-west-1',
  credentials: {
    accessKeyId: process.env['ACCESS_KEY_ID'] ?? '',
    secretAccessKey: process.env['SECRET_ACCESS_KEY'] ?? '',
  },
  ca: process.env['CA'] ?? '',
};

// Outside of the handler, as connections outlive an invocation.
const pool = createPool({
  host: '127.0.0.1',
  port: Number(process.env['PORT']),
  user: 'app',
  database: 'shop',
  connectionLimit: 1,
  iam,
});

export async function handler(event: { readonly add: number }): Promise<number> {
  const [rows] = await pool.query('select 1 + ? as sum', [event.add]);
  return (rows as { sum: number }[])[0]?.sum ?? 0;
}

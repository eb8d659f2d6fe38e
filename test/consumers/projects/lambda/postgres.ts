import { Pool } from '@rds-iam/pg';

const iam = {
  region: 'eu-west-1',
  credentials: {
    accessKeyId: process.env['ACCESS_KEY_ID'] ?? '',
    secretAccessKey: process.env['SECRET_ACCESS_KEY'] ?? '',
  },
  ca: process.env['CA'] ?? '',
};

// Outside of the handler, as connections outlive an invocation.
const pool = new Pool({
  host: '127.0.0.1',
  port: Number(process.env['PORT']),
  user: 'app',
  database: 'shop',
  max: 1,
  iam,
});

export async function handler(event: { readonly add: number }): Promise<number> {
  const { rows } = await pool.query<{ sum: number }>('select 1 + $1::int as sum', [event.add]);
  return rows[0]?.sum ?? 0;
}

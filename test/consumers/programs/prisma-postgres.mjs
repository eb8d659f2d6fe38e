import { createRdsIamAdapter } from '@rds-iam/prisma';

const host = '127.0.0.1';
const port = Number(process.env.PORT);
const iam = {
  region: 'eu-west-1',
  credentials: {
    accessKeyId: process.env.ACCESS_KEY_ID ?? '',
    secretAccessKey: process.env.SECRET_ACCESS_KEY ?? '',
  },
  ca: process.env.CA ?? '',
};

// What Prisma's client does with it, without a generated client.
const adapter = await createRdsIamAdapter({
  provider: 'postgresql',
  host,
  port,
  user: 'app',
  database: 'shop',
  iam,
}).connect();
const result = await adapter.queryRaw({ sql: 'select current_user::text as name', args: [], argTypes: [] });
console.log(JSON.stringify(result.rows));
await adapter.dispose();

import { createRdsIamAdapter } from '@rds-iam/prisma';
import { PrismaClient } from './generated/postgres/client.js';
import { migrate } from './migrate.js';
import { run } from './shop.js';

const adapter = createRdsIamAdapter({
  provider: 'postgresql',
  host: 'mydb.abc123.eu-west-1.rds.amazonaws.com',
  user: 'app',
  database: 'shop',
});
const prisma = new PrismaClient({ adapter });
await migrate(prisma, 'postgres');
await run(prisma);
await prisma.$disconnect();

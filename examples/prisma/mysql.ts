import { createRdsIamAdapter } from '@rds-iam/prisma';
import { PrismaClient } from './generated/mysql/client.js';
import { migrate } from './migrate.js';
import { run } from './shop.js';

const adapter = createRdsIamAdapter({
  provider: 'mysql',
  host: 'mydb.abc123.eu-west-1.rds.amazonaws.com',
  user: 'app',
  database: 'shop',
});
const prisma = new PrismaClient({ adapter });
await migrate(prisma, 'mysql');
await run(prisma);
await prisma.$disconnect();

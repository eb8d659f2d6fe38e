import { readFile } from 'node:fs/promises';

interface Client {
  $executeRawUnsafe(sql: string): Promise<number>;
}

/**
 * Applies a migration, statement by statement, over the adapter: `prisma migrate` has an engine of its own, which cannot log
 * in to MySQL with IAM. (For PostgreSQL it can: see migrate.config.ts.)
 */
export async function migrate(prisma: Client, engine: 'postgres' | 'mysql'): Promise<void> {
  const sql = await readFile(new URL(`migrations/${engine}.sql`, import.meta.url), 'utf8');
  for (const statement of sql.split(/;\s*$/m)) {
    if (statement.trim()) await prisma.$executeRawUnsafe(statement);
  }
}

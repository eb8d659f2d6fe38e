// The files that the documentation mentions but does not show: schemas and migrations, empty ones here.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FILES: Readonly<Record<string, string>> = {
  'migrations/.keep': '',
  'prisma/migrations/.keep': '',
  'prisma/schema.prisma': 'datasource db {\n provider = "postgresql"\n}\n',
  'prisma.config.ts': `export default {
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL },
};
`,
  'knexfile.js': `export default {
  client: process.env.DATABASE_URL.startsWith('mysql') ? 'mysql2' : 'pg',
  connection: process.env.DATABASE_URL,
};
`,
  'data-source.js': `import { DataSource } from 'typeorm';
export default new DataSource({ type: 'postgres', url: process.env.DATABASE_URL, migrations: ['migrations/*.js'] });
`,
  'config/config.json': JSON.stringify({ production: { use_env_variable: 'DATABASE_URL', dialect: 'postgres' } }),
  'drizzle/meta/_journal.json': JSON.stringify({ version: '7', dialect: 'postgresql', entries: [] }),
};

export function makeProject(folder: string): void {
  for (const [name, text] of Object.entries(FILES)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from '@rds-iam/conformance';

/** The members of a generated Prisma client that the tests use. */
export interface Client extends Queries {
  readonly order: Orders;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
  $transaction(queries: readonly Promise<unknown>[]): Promise<unknown>;
  $transaction<T>(work: (tx: Queries & { readonly order: Orders }) => Promise<T>, limits?: Limits): Promise<T>;
}

export interface Queries {
  $queryRawUnsafe(sql: string): Promise<readonly Row[]>;
  $executeRawUnsafe(sql: string): Promise<number>;
}

interface Orders {
  create(query: { data: { product: string } }): Promise<{ id: number; product: string }>;
  findMany(query?: { where: { product: string } }): Promise<{ id: number; product: string }[]>;
}

interface Limits {
  readonly maxWait?: number;
  readonly timeout?: number;
}

export type ClientClass = new (options: { adapter: unknown }) => Client;

export type Provider = 'postgresql' | 'mysql';

/** The package `prisma`, or the alias of its oldest supported version. */
const PRISMA = process.env['PRISMA_PACKAGE'] ?? 'prisma';

const schema = (provider: Provider, isPrisma6: boolean) => `
  generator client {
    provider   = "prisma-client"
    output     = "./generated"
    engineType = "client"
  }
  datasource db {
    provider = "${provider}"
    ${isPrisma6 ? 'url = "postgresql://not-used"' : ''}
  }
  model Order {
    id      Int    @id @default(autoincrement())
    product String
  }
`;

/** Generates the client of a small schema in a temporary folder, and loads it. */
export async function generateClient(provider: Provider): Promise<ClientClass> {
  const parent = fileURLToPath(new URL('.generated/', import.meta.url));
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, `${provider}-`));
  const manifest = createRequire(import.meta.url).resolve(`${PRISMA}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  writeFileSync(join(folder, 'schema.prisma'), schema(provider, version.startsWith('6.')));
  const cli = join(dirname(manifest), 'build/index.js');
  execFileSync(process.execPath, [cli, 'generate', '--schema', join(folder, 'schema.prisma')], {
    cwd: folder,
    stdio: 'pipe',
    // Generating does not need an engine, but would look for one and download it.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
  const { PrismaClient } = await import(join(folder, 'generated/client.ts'));
  rmSync(folder, { recursive: true });
  return PrismaClient;
}

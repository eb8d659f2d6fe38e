#!/usr/bin/env node
// In place of Prisma's schema engine, a native program that has to be downloaded: takes the URL as the engine is given it,
// logs in with it, and answers what `prisma migrate deploy` asks. What it does not show is how the engine does TLS.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import pg from 'pg';

const argument = process.argv[process.argv.indexOf('--datasource') + 1];
const url = new URL(JSON.parse(argument).url);
const client = new pg.Client({
  host: url.hostname,
  port: Number(url.port),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
  ssl: { ca: readFileSync(process.env.EMULATOR_CA_FILE, 'utf8') },
});
await client.connect();
await client.end();
if (url.searchParams.get('sslmode') !== 'require' || url.searchParams.get('sslaccept') !== 'strict') {
  throw new Error('the engine would not verify the server');
}
if (!process.argv.includes('can-connect-to-database')) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: { appliedMigrationNames: [] } })}\n`);
  }
}

import { describeDriverSafety } from '@rds-iam/conformance';
import { Client, type ClientConfig, Pool, type PoolConfig } from '../src/index.js';

describeDriverSafety({
  engine: 'postgres',
  ways: { 'client.connect': connectClient, 'pool.query': queryPool },
  addresses: {
    fields: (port) => ({ host: 'localhost', port }),
    'ssl: true': (port) => ({ host: 'localhost', port, ssl: true }),
    'an address': (port) => ({ host: '127.0.0.1', port, ssl: { servername: 'localhost' } }),
    'a URL': (port) => ({ connectionString: `postgres://app@localhost:${port}/db?sslmode=require` }),
  },
  environments: [{ PGSSLMODE: 'disable' }, { PGSSLMODE: 'no-verify' }, { PGSSLNEGOTIATION: 'direct' }],
  hold(options) {
    const logs: unknown[] = [];
    const pool = new Pool({ ...options, log: (...messages: unknown[]) => logs.push(messages) });
    const client = new Client(options);
    return {
      objects: [pool, client, logs],
      outcomes: Promise.all([failureOf(pool.query('select 1')), failureOf(client.connect())]),
      async [Symbol.asyncDispose]() {
        await pool.end();
        await client.end();
      },
    };
  },
});

async function connectClient(options: ClientConfig): Promise<unknown> {
  const client = new Client(options);
  return failureOf(client.connect().then(() => client.end()));
}

async function queryPool(options: PoolConfig): Promise<unknown> {
  const pool = new Pool(options);
  return failureOf(pool.query('select 1')).finally(() => pool.end());
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

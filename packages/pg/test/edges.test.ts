import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { next, runProgram, Seen, turn } from '@rds-iam/conformance';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client, Pool } from '../src/index.js';
import { type Stack, startStack } from './stack.js';

// Whenever plain pg settles a promise, calls a callback or emits an event, so does ours, in the same order: each scene is played
// with both, and what is seen is compared.

let stack: Stack;
let plainConfig: object;
let ourConfig: object;
let closedPort: number;
beforeAll(async () => {
  stack = await startStack();
  const { hostname: host, port } = stack.upstream;
  plainConfig = { host, port, user: stack.username, database: stack.database };
  ourConfig = { ...stack.config, iam: { ...stack.iam, retry: false } };
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  closedPort = (server.address() as { port: number }).port;
  server.close();
  await once(server, 'close');
});
afterAll(() => stack[Symbol.asyncDispose]());

const EVENTS = ['connect', 'error', 'end'] as const;
const ended = (client: pg.Client) => next(client, 'end');

type Scene = (client: pg.Client, seen: Seen) => Promise<unknown>;

const GOOD: Readonly<Record<string, Scene>> = {
  'connect and end': async (client, seen) => {
    await seen.outcome('connect', client.connect());
    await seen.outcome('end', client.end());
    await turn();
  },
  'connect and end with callbacks': async (client, seen) => {
    await new Promise<void>((resolve) => {
      client.connect((error: Error | null) => {
        seen.callback('connect')(error);
        resolve();
      });
    });
    const over = ended(client);
    client.end(seen.callback('end'));
    await over;
  },
  'a query before connect': async (client, seen) => {
    const query = seen.outcome('query', client.query('select 1'));
    await seen.outcome('connect', client.connect());
    await query;
    await seen.outcome('end', client.end());
  },
  'end in the same turn as connect': async (client, seen) => {
    const over = ended(client);
    void seen.outcome('connect', client.connect());
    await seen.outcome('end', client.end());
    await over;
    await turn();
  },
  'end in the same turn as connect, with callbacks': async (client, seen) => {
    const over = ended(client);
    client.connect(seen.callback('connect'));
    client.end(seen.callback('end'));
    await over;
    await turn();
  },
  'end without connect, and then connect': async (client, seen) => {
    await seen.outcome('end', client.end());
    await seen.outcome('connect', client.connect());
  },
  'a second connect': async (client, seen) => {
    await seen.outcome('connect', client.connect());
    await seen.outcome('connect', client.connect());
    await seen.outcome('end', client.end());
    await turn();
  },
  'a second connect while the first is under way': async (client, seen) => {
    const connected = next(client, 'connect');
    void seen.outcome('first', client.connect());
    await seen.outcome('second', client.connect());
    await connected;
    await seen.outcome('end', client.end());
  },
  'end twice': async (client, seen) => {
    await client.connect();
    await Promise.all([seen.outcome('end', client.end()), seen.outcome('end', client.end())]);
    await seen.outcome('end', client.end());
  },
  'a query after end': async (client, seen) => {
    await client.connect();
    const end = seen.outcome('end', client.end());
    await seen.outcome('query', client.query('select 1'));
    await end;
    await seen.outcome('query', client.query('select 1'));
  },
  'end during a query': async (client, seen) => {
    await client.connect();
    const query = seen.outcome('query', client.query('select pg_sleep(20)'));
    await turn();
    await seen.outcome('end', client.end());
    await query;
    await turn();
  },
  'the server ends an idle session': async (client, seen) => {
    await client.connect();
    const over = ended(client);
    await endSession(client);
    await over;
    await seen.outcome('query', client.query('select 1'));
    await seen.outcome('end', client.end());
  },
  'the server ends a session with a query': async (client, seen) => {
    await client.connect();
    const over = ended(client);
    const query = seen.outcome('query', client.query('select pg_sleep(20)'));
    await turn();
    await endSession(client);
    await over;
    await query;
    await seen.outcome('query', client.query('select 1'));
  },
  'the stream is destroyed while idle': async (client, seen) => {
    await client.connect();
    const over = ended(client);
    streamOf(client).destroy();
    await over;
    await seen.outcome('query', client.query('select 1'));
  },
  'the stream fails while idle': async (client, seen) => {
    await client.connect();
    const over = ended(client);
    streamOf(client).destroy(new Error('of the network'));
    await over;
    await seen.outcome('query', client.query('select 1'));
    await seen.outcome('end', client.end());
  },
  'the stream is destroyed while it connects': async (client, seen) => {
    const over = ended(client);
    const connect = seen.outcome('connect', client.connect());
    streamOf(client).destroy();
    await over;
    await connect;
  },
  'an error of the connection while idle': async (client, seen) => {
    await client.connect();
    connectionOf(client).emit('error', new Error('expected'));
    await seen.outcome('query', client.query('select 1'));
    await seen.outcome('end', client.end());
    await turn();
  },
};

const FAILING: Readonly<Record<string, Scene>> = {
  connect: async (client, seen) => {
    const over = ended(client);
    await seen.outcome('connect', client.connect());
    await over;
    await seen.outcome('end', client.end());
  },
  'connect with a callback': async (client, seen) => {
    const over = ended(client);
    client.connect(seen.callback('connect'));
    await over;
    client.end(seen.callback('end'));
  },
  'queries made before it': async (client, seen) => {
    const over = ended(client);
    const queries = [seen.outcome('first', client.query('select 1')), seen.outcome('second', client.query('select 1'))];
    await Promise.all([seen.outcome('connect', client.connect()), ...queries]);
    await over;
  },
  'a query right after connect failed': async (client, seen) => {
    await client.connect().catch(() => seen.add('connect rejects'));
    await seen.outcome('query', client.query('select 1'));
  },
  'a second connect after the first failed': async (client, seen) => {
    const over = ended(client);
    await seen.outcome('first', client.connect());
    await over;
    await seen.outcome('second', client.connect());
  },
};

describe.each(Object.entries(GOOD))('with a good server: %s', (_, scene) => {
  test('behaves as with pg alone', async () => {
    const plain = await watch(new pg.Client(plainConfig), scene);
    expect(plain.length).toBeGreaterThan(0);
    expect(await watch(new Client(ourConfig), scene)).toEqual(plain);
  });
});

describe.each(Object.entries(FAILING))('with a failing login: %s', (_, scene) => {
  test.each([
    ['at a closed port', () => ({ port: closedPort })],
    ['on a database that does not exist', () => ({ database: 'nowhere' })],
  ])('%s, behaves as with pg alone', async (_, failing) => {
    const plain = await watch(new pg.Client({ ...plainConfig, ...failing() }), scene);
    expect(plain.length).toBeGreaterThan(0);
    expect(await watch(new Client({ ...ourConfig, ...failing() }), scene)).toEqual(plain);
  });
});

describe('a pool', () => {
  type PoolScene = (pool: pg.Pool, seen: Seen) => Promise<unknown>;
  const SCENES: Readonly<Record<string, PoolScene>> = {
    'a query, and end': async (pool, seen) => {
      await seen.outcome('query', pool.query('select 1'));
      const removed = next(pool, 'remove');
      await seen.outcome('end', pool.end());
      await removed;
    },
    'end during a connect': async (pool, seen) => {
      const connect = seen.outcome(
        'connect',
        pool.connect().then((client) => client.release()),
      );
      await seen.outcome('end', pool.end());
      await connect;
    },
    'a client that is released with an error': async (pool, seen) => {
      const broken = next(pool, 'remove');
      (await pool.connect()).release(new Error('broken'));
      await broken;
      await seen.outcome('query', pool.query('select 1'));
      const removed = next(pool, 'remove');
      await seen.outcome('end', pool.end());
      await removed;
    },
    'end twice': async (pool, seen) => {
      await pool.query('select 1');
      const removed = next(pool, 'remove');
      await seen.outcome('end', pool.end());
      await seen.outcome('end', pool.end());
      await removed;
    },
    'an idle session that the server ends': async (pool, seen) => {
      const client = await pool.connect();
      const removed = next(pool, 'remove');
      const failed = next(pool, 'error');
      const pid = pidOf(client as unknown as pg.Client);
      client.release();
      await terminate(pid);
      await Promise.all([removed, failed]);
      await seen.outcome('query', pool.query('select 1'));
      const ended = next(pool, 'remove');
      await seen.outcome('end', pool.end());
      await ended;
    },
  };
  const FAILING_SCENES: Readonly<Record<string, PoolScene>> = {
    'connect and query': async (pool, seen) => {
      await seen.outcome('connect', pool.connect());
      await seen.outcome('query', pool.query('select 1'));
      seen.add(`${pool.totalCount} of ${pool.waitingCount}`);
      await seen.outcome('end', pool.end());
    },
    'connect with a callback': async (pool, seen) => {
      await new Promise<void>((resolve) => {
        pool.connect((error, client, done) => {
          seen.add(`${error instanceof Error} ${client} ${typeof done}`);
          done();
          resolve();
        });
      });
      await seen.outcome('end', pool.end());
    },
  };
  const watchPool = async (pool: pg.Pool, scene: PoolScene) => {
    const seen = new Seen();
    await scene(seen.of(pool, ['connect', 'acquire', 'release', 'remove', 'error']), seen);
    return seen.list;
  };

  test.each(Object.entries(SCENES))('%s, behaves as with pg alone', async (_, scene) => {
    const plain = await watchPool(new pg.Pool({ ...plainConfig, max: 1 }), scene);
    expect(await watchPool(new Pool({ ...ourConfig, max: 1 }), scene)).toEqual(plain);
  });

  test.each(Object.entries(FAILING_SCENES))('that cannot connect: %s, behaves as with pg alone', async (_, scene) => {
    const failing = { port: closedPort, max: 1 };
    const plain = await watchPool(new pg.Pool({ ...plainConfig, ...failing }), scene);
    expect(await watchPool(new Pool({ ...ourConfig, ...failing }), scene)).toEqual(plain);
  });
});

describe('a process', () => {
  const source = JSON.stringify(new URL('../src/index.ts', import.meta.url).href);
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  /** How the process ends, with our client and with pg's own. */
  const both = async (program: string, failing: object = {}) => {
    const run = (module: string, config: object) =>
      runProgram(
        `import pg from ${module};
         for (const event of ['uncaughtException', 'unhandledRejection'])
           process.on(event, (error) => console.log(event, error.message));
         const client = new pg.Client(config);
         client.on('end', () => console.log('end'));
         ${program}`,
        { ...config, ...failing },
        { cwd },
      );
    const [plain, ours] = await Promise.all([run("'pg'", plainConfig), run(source, ourConfig)]);
    return { plain, ours };
  };

  test.each<[string, string, (() => object)?]>([
    ['is not kept alive by a client that was unreferenced before it connected', 'client.unref(); client.connect();'],
    ['is not kept alive by a client that was unreferenced while it connects', 'client.connect(); client.unref();'],
    [
      'is not kept alive by a client that was unreferenced once it was connected',
      "await client.connect(); client.unref(); console.log('connected');",
    ],
    ['ends cleanly if end follows connect at once', 'client.connect(); client.end();'],
    [
      "gets an exception in connect's callback",
      "client.connect(() => { throw new Error('mine'); }); process.once('uncaughtException', () => client.end());",
    ],
    [
      "gets an exception in a failing connect's callback, and sees the end",
      "client.connect(() => { throw new Error('mine'); });",
      () => ({ port: closedPort }),
    ],
    [
      'goes on if a query follows a failed connect',
      "await client.connect().catch(() => {}); await client.query('select 1').catch(() => console.log('rejected'));",
      () => ({ port: closedPort }),
    ],
  ])('%s', async (_, program, failing) => {
    const { plain, ours } = await both(program, failing?.());
    expect(plain).toMatchObject({ code: 0, signal: null });
    expect(ours).toEqual(plain);
  });
});

async function watch(client: pg.Client, scene: Scene): Promise<readonly string[]> {
  const seen = new Seen();
  await scene(seen.of(client, EVENTS), seen);
  await client.end();
  return seen.list;
}

function connectionOf(client: pg.Client): NodeJS.EventEmitter & { stream: NodeJS.EventEmitter } {
  return (client as unknown as { connection: ReturnType<typeof connectionOf> }).connection;
}

function streamOf(client: pg.Client): { destroy(error?: Error): void } {
  return connectionOf(client).stream as unknown as ReturnType<typeof streamOf>;
}

function pidOf(client: pg.Client): number {
  return (client as unknown as { readonly processID: number }).processID;
}

const endSession = (client: pg.Client) => terminate(pidOf(client));

/** The emulator passes the server's process ID through, so this ends both kinds of session. */
async function terminate(pid: number): Promise<void> {
  const admin = new pg.Client({ ...plainConfig, user: 'postgres' });
  await admin.connect();
  await vi.waitFor(async () => {
    const { rows } = await admin.query('select pg_terminate_backend($1) as ended', [pid]);
    expect(rows).toEqual([{ ended: true }]);
  }, 10_000);
  await admin.end();
}

import { once } from 'node:events';
import { connect } from 'node:net';
import { type ImageUse, mayHaveEngine, type StartedServer, startContainer } from './docker.js';
import { startMariadb } from './mariadb.js';
import { startPostgres } from './postgres.js';
import { startRedis } from './redis.js';

export type Engine = 'postgres' | 'mysql' | 'redis';

/** A server for tests, and an account that may create others. */
export interface ProvidedServer extends StartedServer, AsyncDisposable {
  readonly username: string;
  /** Empty if none is needed. */
  readonly password: string;
  /** Its source: a URL in the environment, a container, or a program on this machine. */
  readonly road: 'url' | 'docker' | 'program';
  /** Ends the server, unless it was named by a URL. */
  close(): Promise<void>;
}

interface EngineUse extends ImageUse {
  readonly name: string;
  readonly username: string;
  start(): Promise<StartedServer>;
}

const ENGINES: Readonly<Record<Engine, EngineUse>> = {
  postgres: {
    name: 'PostgreSQL',
    image: 'postgres:18',
    port: 5432,
    username: 'postgres',
    environment: { POSTGRES_HOST_AUTH_METHOD: 'trust' },
    command: ['postgres', '-c', 'max_connections=300', '-c', 'fsync=off'],
    healthCheck: 'pg_isready --host=127.0.0.1 --username=postgres',
    start: startPostgres,
  },
  mysql: {
    name: 'MySQL',
    image: 'mysql:8.4',
    port: 3306,
    username: 'root',
    environment: { MYSQL_ALLOW_EMPTY_PASSWORD: 'yes', MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: 'yes' },
    command: ['--max-connections=300', '--skip-name-resolve', '--loose-mysql-native-password=ON'],
    healthCheck: "mysql --host=127.0.0.1 --execute='select 1' || mariadb --host=127.0.0.1 --execute='select 1'",
    start: startMariadb,
  },
  redis: {
    name: 'Redis',
    image: 'redis:8',
    port: 6379,
    username: '',
    environment: {},
    command: ['redis-server', '--save', '', '--protected-mode', 'no'],
    healthCheck: 'redis-cli ping',
    start: startRedis,
  },
};

export interface ProvideOptions {
  /** Default: the environment of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Prints a line. Default: to standard error. */
  readonly print?: (line: string) => void;
  /** The ways to start a server, which tests of the order replace. */
  readonly roads?: Roads;
}

export interface Roads {
  mayHaveEngine(): boolean;
  startContainer: typeof startContainer;
  startProgram(engine: Engine): Promise<StartedServer>;
}

/**
 * A server to test with: the one in `TEST_<ENGINE>_URL`, or else a container if a Docker engine answers, or else a program on
 * this machine, which is installed for root on Debian.
 */
export async function provideServer(engine: Engine, options: ProvideOptions = {}): Promise<ProvidedServer> {
  const { environment = process.env, print = (line) => void process.stderr.write(`${line}\n`) } = options;
  const { mayHaveEngine, startContainer, startProgram } = options.roads ?? ROADS;
  const use = ENGINES[engine];
  const say = (what: string) => print(`test servers: ${use.name} ${what}`);

  const variable = `TEST_${engine.toUpperCase()}_URL`;
  const url = environment[variable];
  if (url) {
    const named = readUrl(variable, url, use);
    await expectAnswer(variable, named);
    say(`at ${named.hostname}:${named.port}, from ${variable}`);
    return provided({ ...named, road: 'url', close: async () => {} });
  }

  const account = { username: use.username, password: '' };
  if (mayHaveEngine()) {
    const image = environment[`TEST_${engine.toUpperCase()}_IMAGE`] ?? use.image;
    try {
      const { hostname, port, close } = await startContainer({ ...use, image });
      say(`at ${hostname}:${port}, a container of ${image}`);
      return provided({ hostname, port, ...account, road: 'docker', close });
    } catch (error) {
      say(`not from Docker: ${error instanceof Error ? error.message : error}`);
    }
  }

  const { hostname, port, close } = await startProgram(engine);
  say(`at ${hostname}:${port}, a program on this machine`);
  return provided({ hostname, port, ...account, road: 'program', close });
}

const ROADS: Roads = { mayHaveEngine, startContainer, startProgram: (engine) => ENGINES[engine].start() };

function provided(server: Omit<ProvidedServer, typeof Symbol.asyncDispose>): ProvidedServer {
  return { ...server, [Symbol.asyncDispose]: server.close };
}

/** The parts of a URL. */
type Named = Pick<ProvidedServer, 'hostname' | 'port' | 'username' | 'password'>;

function readUrl(variable: string, text: string, use: EngineUse): Named {
  if (!URL.canParse(text)) throw new Error(`${variable} is not a URL`);
  const url = new URL(text);
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || use.port),
    username: decodeURIComponent(url.username) || use.username,
    password: decodeURIComponent(url.password),
  };
}

async function expectAnswer(variable: string, { hostname, port }: Named): Promise<void> {
  const socket = connect({ host: hostname, port, timeout: 10_000 });
  socket.once('timeout', () => socket.destroy(new Error('no answer in 10 s')));
  try {
    await once(socket, 'connect');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${variable} names a server at ${hostname}:${port}, which does not answer: ${reason}`, {
      cause: error,
    });
  } finally {
    socket.destroy();
  }
}

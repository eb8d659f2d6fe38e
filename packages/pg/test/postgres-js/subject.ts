import type { Duplex } from 'node:stream';
import type { Row, Subject, SubjectOptions } from '@rds-iam/conformance';
import postgres, { type ISql } from 'postgres';
import { type Options, withRdsIam } from '../../src/postgres-js.js';

/** postgres.js with IAM, for the suites that every package runs. */
export const subject: Subject = {
  name: '@rds-iam/pg/postgres-js',
  engine: 'postgres',
  createPool(given) {
    const streams: Duplex[] = [];
    const sql = postgres(showing(streams, optionsOf(given)));
    const rowsOf = async (on: ISql, text: string): Promise<Row[]> => [...(await on.unsafe(text))];
    return {
      query: (text) => rowsOf(sql, text),
      async checkout() {
        const reserved = await sql.reserve();
        return {
          query: (text) => rowsOf(reserved, text),
          release: () => reserved.release(),
          // The driver cannot close a single connection, so this breaks it.
          destroy: () => streams.at(-1)?.destroy(),
        };
      },
      transaction: async (work) => (await sql.begin((inside) => work((text) => rowsOf(inside, text)))) as never,
      end: () => sql.end(),
    };
  },
};

type MakeStream = (options: { host: string[]; port: number[] }) => Duplex;

/** The options, with the result of their `socket` also recorded in a list. */
function showing(streams: Duplex[], options: object): object {
  const { socket } = options as { readonly socket?: MakeStream };
  const shown: MakeStream | undefined =
    socket &&
    ((asked) => {
      const stream = socket(asked);
      streams.push(stream);
      return stream;
    });
  return { ...options, ...(shown && { socket: shown }) };
}

function optionsOf({
  hostname,
  port,
  username,
  database,
  iam,
  max,
  password,
  withoutTls,
  tls,
  asUrl,
  socket: makeSocket,
}: SubjectOptions): object {
  const socket: MakeStream | undefined =
    makeSocket && (({ host: [host = ''], port: [port = 0] }) => makeSocket().connect(port, host));
  const options = {
    iam,
    ...(!asUrl && { host: hostname, port, user: username, database }),
    ...(max !== undefined && { max }),
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    ...(socket && { socket }),
  } as Options;
  const url = `postgres://${username}@${hostname}:${port}/${database}?sslmode=verify-full`;
  return asUrl ? withRdsIam(url, options) : withRdsIam(options);
}

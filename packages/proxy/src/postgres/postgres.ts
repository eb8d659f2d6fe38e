import { once } from 'node:events';
import { askToCancel, logIn } from '@rds-iam/pg/login';
import { ProtocolError } from '@rds-iam/wire';
import { encodeFirstPacket, MessageAssembler, MessageType, type Startup } from '@rds-iam/wire/postgres';
import type { Client } from '../client.js';
import type { ClientLogin, Door, Engine, Session } from '../engine.js';
import { join } from '../join.js';
import type { ProxyOptions } from '../options.js';
import type { Refusal } from '../refusal.js';
import { type Authenticate, authenticationBy } from './authentication.js';
import { errorResponse } from './errors.js';
import { open } from './opening.js';

/** Where a session's server is, for cancel requests. */
interface Whereabouts {
  readonly username: string;
  /** The server's address: the name may stand for several servers, or for another one by now. */
  readonly address: string | undefined;
}

export function createPostgres(password: string | undefined, method: ProxyOptions['passwordMethod']): Engine {
  const sessions = new Map<string, Whereabouts>();
  const authenticate = password === undefined ? async () => {} : authenticationBy(method, password);
  return { startLogin: (client, door) => new PostgresLogin(client, door, authenticate, sessions) };
}

class PostgresLogin implements ClientLogin {
  readonly #client: Client;
  readonly #door: Door;
  readonly #authenticate: Authenticate;
  /** By the cancel key that the server gave, which clients send. */
  readonly #sessions: Map<string, Whereabouts>;

  constructor(client: Client, door: Door, authenticate: Authenticate, sessions: Map<string, Whereabouts>) {
    this.#client = client;
    this.#door = door;
    this.#authenticate = authenticate;
    this.#sessions = sessions;
  }

  async run(): Promise<Session | undefined> {
    const wish = await open(this.#client, this.#door);
    if (wish.kind === 'cancel') {
      await this.#cancel(encodeFirstPacket(wish), cancelKey(wish.processId, wish.key));
      return undefined;
    }
    const { startup } = wish;
    const username = startup.parameters.get('user') ?? '';
    if (username === '') throw new ProtocolError('layout', 'no user in the startup packet');
    this.#door.says(username, startup.parameters.get('database'));
    await this.#authenticate(this.#client, username);
    return this.#logIn(startup, username);
  }

  refuse(refusal: Refusal): void {
    this.#client.end(errorResponse(refusal));
  }

  async #logIn(startup: Startup, username: string): Promise<Session> {
    const client = this.#client;
    const door = this.#door;
    const { parameters } = startup;
    const asked = parameters.get('database') || undefined;
    // Physical replication has no database, even if the client names one.
    const isPhysical = /^(?:true|on|yes|1)$/i.test(parameters.get('replication') ?? '');
    door.checkAsked(username, isPhysical ? undefined : asked);
    const database = asked ?? door.target.database;
    const named = isPhysical || database === undefined ? parameters : new Map([...parameters, ['database', database]]);
    const opening = encodeFirstPacket({ kind: 'startup', startup: { ...startup, parameters: named } });

    const { socket, said } = await door.connect(username, (login) =>
      logIn(login, { dial: (to) => door.dial(to), directTls: false, opening }),
    );
    const key = backendKey(said);
    if (key !== undefined) {
      this.#sessions.set(key, { username, address: socket.remoteAddress });
      socket.once('close', () => this.#sessions.delete(key));
    }
    client.release();
    client.stream.write(said);
    join(client.stream, socket);
    return { server: socket, username, database };
  }

  /** As in PostgreSQL, the client sees that it is done when its connection closes; an unknown key is not an error. */
  async #cancel(opening: Buffer, key: string): Promise<void> {
    const session = this.#sessions.get(key);
    if (session) {
      const { username, address } = session;
      const { socket } = await this.#door.connect(
        username,
        (login) => askToCancel(login, { dial: (to) => this.#door.dial(to, address), directTls: false, opening }),
        true,
      );
      if (!socket.closed) await once(socket.resume(), 'close');
    }
    this.#client.end(Buffer.alloc(0));
  }
}

/** More than a server ever sends at the end of a login. */
const MAX_MESSAGE_BYTES = 262_144;

/** Finds the cancel key in the server's messages at the end of a login. */
function backendKey(said: Buffer): string | undefined {
  const messages = new MessageAssembler(MAX_MESSAGE_BYTES);
  messages.add(said);
  for (let message = messages.take(); message; message = messages.take()) {
    const { type, body } = message;
    if (type === MessageType.backendKeyData && body.length > 4)
      return cancelKey(body.readUInt32BE(0), body.subarray(4));
    if (type === MessageType.readyForQuery) return undefined;
  }
  return undefined;
}

const cancelKey = (processId: number, key: Buffer) => `${processId}:${key.toString('base64')}`;

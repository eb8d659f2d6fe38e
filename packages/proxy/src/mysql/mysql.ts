import type { TLSSocket } from 'node:tls';
import { LoginFailure } from '@rds-iam/core/adapter';
import { type LoggedIn, logIn } from '@rds-iam/mysql2/login';
import { ByteReader, ProtocolError } from '@rds-iam/wire';
import {
  Capability,
  Channel,
  Command,
  CommandTracker,
  CompressedTracker,
  decodeCapabilities,
  decodeHandshakeResponse,
  encodeFrame,
  encodeGreeting,
  encodeHandshakeResponse,
  encodePacket,
  type Greeting,
  type HandshakeResponse,
  joinUntilHeld,
  Plugin,
  SSL_REQUEST_BYTES,
} from '@rds-iam/wire/mysql';
import type { Client } from '../client.js';
import type { ClientLogin, Door, Engine, Session } from '../engine.js';
import { Refusal, refusalFor } from '../refusal.js';
import { authenticate } from './authentication.js';
import { changeUser } from './change-user.js';
import { errorPacket, ServerError } from './errors.js';
import { offer, ServerGreeting } from './greeting.js';
import { isKill, withServerId } from './kill.js';
import { ThreadIds } from './thread-ids.js';

/** More than a user name, a proof and the 64 kB that MySQL allows for attributes add up to. */
const MAX_LOGIN_BYTES = 131_072;
/** Capabilities that only concern the login: client and server need not agree on them. */
const OF_LOGIN =
  Capability.ssl |
  Capability.connectWithDb |
  Capability.secureConnection |
  Capability.pluginAuth |
  Capability.pluginAuthLenenc |
  Capability.connectAttrs;

/** The state that the clients of a target share. */
interface Shared {
  readonly greeting: ServerGreeting;
  readonly threadIds: ThreadIds;
}

export function createMysql(): Engine {
  const shared: Shared = { greeting: new ServerGreeting(), threadIds: new ThreadIds() };
  return { startLogin: (client, door) => new MysqlLogin(client, door, shared) };
}

class MysqlLogin implements ClientLogin {
  readonly #client: Client;
  readonly #door: Door;
  readonly #shared: Shared;
  #channel: Channel;

  constructor(client: Client, door: Door, shared: Shared) {
    this.#client = client;
    this.#door = door;
    this.#shared = shared;
    // The underlying stream changes to TLS.
    this.#channel = new Channel({
      get stream() {
        return client.stream;
      },
      reader: client,
    });
  }

  async run(): Promise<Session> {
    const door = this.#door;
    const { greeting, threadIds } = this.#shared;
    const id = threadIds.make();
    const offered = offer(await greeting.get(() => this.#askForGreeting()), id, door.tls !== undefined);
    const response = await this.#greet(offered);
    await authenticate(this.#channel, offered, response, door.password);
    const { username } = response;
    const asked = response.database?.length ? response.database.toString('utf8') : undefined;
    door.checkAsked(username, asked);
    const database = asked ?? door.target.database;

    const {
      socket,
      ok,
      greeting: said,
      identity,
      resumed,
    } = await this.#logIn(username, (server) => responseFor(response, server, database));
    threadIds.set(id, said.connectionId);
    socket.once('close', () => threadIds.delete(id));
    this.#client.release();
    this.#channel.write(ok);
    this.#join({ socket, identity, resumed }, offered, response);
    return { server: socket, username, database };
  }

  refuse(refusal: Refusal): void {
    this.#client.end(this.#channel.frame(errorPacket(refusal)));
  }

  /** Learns the server's greeting by a login as the port's user. */
  async #askForGreeting(): Promise<Greeting> {
    const { socket, greeting } = await this.#logIn(this.#door.target.username, (server) =>
      responseFor(NOBODY, server, undefined),
    );
    new Channel({ stream: socket, reader: new ByteReader(socket) }).write(Buffer.from([Command.quit]));
    socket.on('error', () => {}).end();
    socket.resume();
    return greeting;
  }

  #logIn(
    username: string,
    answer: (server: Greeting) => Omit<HandshakeResponse, 'username'>,
  ): Promise<LoggedIn & { readonly identity: string }> {
    const door = this.#door;
    return door.connect(username, async (login) => {
      const loggedIn = await logIn(login, {
        dial: (to) => door.dial(to),
        answerTo: (server) => {
          this.#shared.greeting.set(server);
          return encodeHandshakeResponse({ ...answer(server), username });
        },
        errorOf: (refusal) => new ServerError(refusal),
      });
      return { ...loggedIn, identity: login.identity };
    });
  }

  /** Greets the client and reads its answer. @throws Refusal, ProtocolError, ConnectionEnded */
  async #greet(offered: Greeting): Promise<HandshakeResponse> {
    const { tls, requiresTls } = this.#door;
    this.#channel.write(encodeGreeting(offered));
    let payload = await this.#channel.read(MAX_LOGIN_BYTES);
    if (decodeCapabilities(payload) & Capability.ssl) {
      if (!tls || payload.length !== SSL_REQUEST_BYTES) throw new ProtocolError('layout', 'a request for TLS');
      // Bytes that have arrived already are treated as TLS, so nothing in clear can slip in.
      await this.#client.startTls(tls);
      payload = await this.#channel.read(MAX_LOGIN_BYTES);
    } else if (requiresTls) {
      throw new Refusal('plaintext', 'rds-iam proxy: this port takes TLS only', {
        hint: 'Connect with --ssl-mode=VERIFY_IDENTITY, or --ssl-verify-server-cert.',
      });
    }
    return decodeHandshakeResponse(payload, offered);
  }

  /** The session: every byte passes, except for commands about users and connections. */
  #join(server: Server, offered: Greeting, response: HandshakeResponse): void {
    const client = this.#client.stream;
    const { capabilities } = response;
    if (capabilities & Capability.compress) {
      const tracker = new CompressedTracker((command) => command === Command.changeUser);
      joinUntilHeld(client, server.socket, tracker, () => {
        this.#endCompressed(server, tracker);
      });
      return;
    }
    const holds = (start: Buffer, length: number) =>
      start[0] === Command.changeUser || isKill(start, length, capabilities);
    joinUntilHeld(client, server.socket, new CommandTracker(holds), () => {
      void this.#serveHeld(server, offered, response);
    });
  }

  /** A change of user in it could lead to one that the port is not for. */
  #endCompressed({ socket }: Server, { sequence, broken }: CompressedTracker): void {
    const { stream } = this.#client;
    socket.destroy();
    const refusal = refusalFor(broken ?? compressedChange(), this.#door.target);
    this.#door.changeRefused(refusal);
    stream.end(encodeFrame(sequence + 1, encodePacket(1, errorPacket(refusal))));
    stream.resume();
  }

  async #serveHeld(server: Server, offered: Greeting, response: HandshakeResponse): Promise<void> {
    const { stream } = this.#client;
    const reader = new ByteReader(stream);
    this.#channel = new Channel({ stream, reader });
    try {
      const command = await this.#channel.read(MAX_LOGIN_BYTES);
      if (command[0] === Command.changeUser) {
        const change = { command, offered, response, channel: this.#channel, client: stream, ...server };
        this.#channel.write(await changeUser(change, this.#door));
      } else {
        const translated = withServerId(command, response.capabilities, this.#shared.threadIds);
        new Channel({ stream: server.socket, reader }).write(translated);
      }
      reader.release();
      this.#join(server, offered, response);
    } catch (error) {
      reader.release();
      server.socket.destroy();
      if (stream.destroyed) return;
      // As in MySQL, a refused change of user ends the connection.
      const refusal = refusalFor(error, this.#door.target);
      this.#door.changeRefused(refusal);
      stream.end(this.#channel.frame(errorPacket(refusal)));
      stream.resume();
    }
  }
}

const compressedChange = () =>
  new Refusal('user', 'rds-iam proxy: the user of a compressed connection cannot be changed', {
    hint: 'Connect without compression.',
  });

/** The server's end of a session, and to whom it leads. */
interface Server {
  readonly socket: TLSSocket;
  readonly identity: string;
  readonly resumed: Buffer | undefined;
}

/** The handshake response of a login that only needs the greeting. */
const NOBODY: HandshakeResponse = {
  capabilities: (Capability.mysql | Capability.protocol41) >>> 0,
  mariadbCapabilities: 0,
  maxPacketBytes: 1 << 24,
  characterSet: 45,
  username: '',
  authentication: Buffer.alloc(0),
  database: undefined,
  plugin: Plugin.nativePassword,
  attributes: undefined,
  zstdLevel: undefined,
};

/** The handshake response for a client. @throws LoginFailure if the server lacks a capability that the client was promised */
function responseFor(
  response: HandshakeResponse,
  server: Greeting,
  database: string | undefined,
): Omit<HandshakeResponse, 'username'> {
  const ofSession = response.capabilities & ~OF_LOGIN;
  // That flag distinguishes MySQL's clients from MariaDB's, and servers of both kinds accept both.
  const lacking =
    (ofSession & ~Capability.mysql & ~server.capabilities) |
    (response.mariadbCapabilities & ~server.mariadbCapabilities);
  if (lacking !== 0) {
    throw new LoginFailure('protocol-violated', 'the server can do less than it said before: connect again');
  }
  const ofLogin =
    Capability.secureConnection |
    Capability.pluginAuth |
    (server.capabilities & Capability.pluginAuthLenenc) |
    (database === undefined ? 0 : Capability.connectWithDb) |
    (response.attributes === undefined ? 0 : server.capabilities & Capability.connectAttrs);
  return {
    ...response,
    capabilities: (ofSession | ofLogin) >>> 0,
    authentication: Buffer.alloc(0),
    database: database === undefined ? undefined : Buffer.from(database),
    // After an empty answer with its own plugin, the server would not ask for the token.
    plugin: Plugin.nativePassword,
  };
}

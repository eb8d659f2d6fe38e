// One PostgreSQL client's login, from its first byte until it is joined to the database behind the emulator.
import type { Socket } from 'node:net';
import { ByteReader, ConnectionEnded, isProtocolError, type ProtocolError } from '@rds-iam/wire';
import {
  Authentication,
  decodeErrorFields,
  decodePassword,
  decodeSaslInitial,
  ErrorField,
  encodeAuthentication,
  encodeFirstPacket,
  MAX_PASSWORD_BYTES,
  type Message,
  MessageType,
  readMessage,
  type SaslInitial,
  type Startup,
} from '@rds-iam/wire/postgres';
import { admit } from '../admission.js';
import type { Connection } from '../connection.js';
import type { Faults } from '../faults.js';
import { join } from '../join.js';
import type { SeenToken } from '../login-event.js';
import type { Refusal } from '../refusal.js';
import { hangIfTold, type Login, type Shared } from '../serve.js';
import { closed } from '../sockets.js';
import { seenToken } from '../token.js';
import { open } from './opening.js';
import {
  badFirstPacket,
  badPassword,
  emptyPassword,
  internalError,
  passwordRefused,
  plaintextRefused,
  proxyThrottled,
  tokenRefused,
  upstreamRefused,
} from './refusals.js';
import { MECHANISM, mockServerFirst } from './scram.js';
import { dial, logIn, readUpstream } from './upstream.js';

/** See {@link Login}. */
export class PostgresLogin implements Login {
  username: string | undefined;
  token: SeenToken | undefined;
  readonly #connection: Connection;
  readonly #shared: Shared;
  /** The sockets to the upstream, until they are joined to the client. */
  #dialed: Socket[] = [];

  constructor(connection: Connection, shared: Shared) {
    this.#connection = connection;
    this.#shared = shared;
  }

  async run(): Promise<void> {
    const connection = this.#connection;
    await this.#hangIfTold('before-tls');
    const opening = await open(connection, () => this.#shared.certificate());
    if (opening.kind === 'cancel') return this.#passCancel(opening.packet);

    const { startup } = opening;
    const username = startup.parameters.get('user') ?? '';
    this.username = username;
    if (!connection.encrypted) throw plaintextRefused(connection.address, startup.parameters);
    await this.#hangIfTold('before-authentication');
    const { iamUsers } = this.#shared.options;
    if (iamUsers && !iamUsers.has(username)) await this.#logInWithPassword(startup, username);
    else await this.#logInWithToken(startup, username);
  }

  hangUp(): void {
    for (const socket of this.#dialed) socket.destroy();
  }

  refuse(answer: Buffer): void {
    this.#connection.refuse(answer);
  }

  protocolRefusal(error: ProtocolError): Refusal {
    return badFirstPacket(error);
  }

  internalError(error: unknown): Buffer {
    return internalError(error);
  }

  async #logInWithToken(startup: Startup, username: string): Promise<void> {
    const client = this.#connection;
    client.stream.write(encodeAuthentication(Authentication.cleartextPassword));
    const token = passwordOf(await readMessage(client.reader, MAX_PASSWORD_BYTES));
    await this.#hangIfTold('after-password');
    if (token === '') throw emptyPassword();
    this.token = seenToken(token, this.#shared.options.now());
    await admit(token, username, this.#connection.raw, this.#shared, {
      tokenRefused: (reason) => tokenRefused(reason, username),
      proxyThrottled,
    });

    const { password, username: upstreamUsername = username } = this.#shared.options.upstream;
    const { upstream, reader } = await this.#dial(withUser(startup, username, upstreamUsername));
    const ok = await logIn(upstream, reader, upstreamUsername, password, (bytes) => client.stream.write(bytes));
    this.#shared.countLogin('accepted', username, this.token);
    this.#join(upstream, reader, ok.bytes);
  }

  /** A user without `rds_iam` gets the upstream's own password authentication, or is refused. @throws Refusal */
  async #logInWithPassword(startup: Startup, username: string): Promise<void> {
    const { upstream, reader } = await this.#dial(startup);
    for (;;) {
      const message = await readUpstream(reader);
      switch (message.authentication?.request) {
        case Authentication.cleartextPassword:
        case Authentication.md5Password:
        case Authentication.sasl:
          // From here on, the client and the upstream settle it between them.
          this.#shared.countLogin('relayed', username);
          return this.#join(upstream, reader, message.bytes);
      }
      if (message.type === MessageType.notice || message.type === MessageType.negotiateProtocolVersion) {
        this.#connection.stream.write(message.bytes);
        continue;
      }
      const sqlState = message.type === MessageType.error && decodeErrorFields(message.body).get(ErrorField.sqlState);
      if (typeof sqlState === 'string' && !sqlState.startsWith('28')) throw upstreamRefused(message.bytes);
      // The upstream would admit or refuse the user without asking for a password; RDS does neither.
      this.hangUp();
      return this.#mockPasswordLogin(username);
    }
  }

  /** Goes through the motions of SCRAM-SHA-256, as PostgreSQL does for users who have no password. @throws Refusal */
  async #mockPasswordLogin(username: string): Promise<never> {
    const { stream, reader } = this.#connection;
    stream.write(encodeAuthentication(Authentication.sasl, Buffer.from(`${MECHANISM}\0\0`)));
    const { mechanism, data } = saslInitialOf(await readMessage(reader, MAX_PASSWORD_BYTES));
    const serverFirst = mechanism === MECHANISM && mockServerFirst(data, username, this.#shared.mockSecret);
    if (!serverFirst) throw badScram();
    stream.write(encodeAuthentication(Authentication.saslContinue, Buffer.from(serverFirst)));
    await readMessage(reader, MAX_PASSWORD_BYTES);
    throw passwordRefused(username);
  }

  async #dial(startup: Startup): Promise<{ upstream: Socket; reader: ByteReader }> {
    const upstream = await this.#connect();
    upstream.write(encodeFirstPacket({ kind: 'startup', startup }));
    return { upstream, reader: new ByteReader(upstream) };
  }

  async #connect(): Promise<Socket> {
    if (this.#connection.raw.destroyed) throw new ConnectionEnded();
    return dial(this.#shared.options.upstream, (socket) => {
      this.#shared.track(socket);
      this.#dialed.push(socket);
    });
  }

  #join(upstream: Socket, reader: ByteReader, firstBytes: Buffer): void {
    const client = this.#connection;
    this.#dialed = [];
    client.reader.release();
    reader.release();
    this.#shared.established(client.stream);
    client.stream.write(firstBytes);
    join(client.stream, upstream);
  }

  /** Passes a CancelRequest on. As with PostgreSQL, the client sees that it is done when the connection closes. */
  async #passCancel(packet: Buffer): Promise<never> {
    this.#shared.countCancelRequest();
    // There is no answer to a CancelRequest, and so none to its failure.
    const upstream = await this.#connect().catch(() => undefined);
    if (upstream) {
      upstream.resume().end(packet);
      await closed(upstream);
    }
    throw new ConnectionEnded();
  }

  #hangIfTold(where: Faults['hang']): Promise<void> {
    return hangIfTold(where, this.#connection, this.#shared);
  }
}

/** Reads a password with PostgreSQL's checks, except for the one that it is not empty. @throws Refusal */
function passwordOf({ type, body }: Message): string {
  if (type !== MessageType.password)
    throw badPassword(`expected password response, got message type ${type.charCodeAt(0)}`);
  return orRefuse(
    () => decodePassword(body),
    () => badPassword('invalid password packet size'),
  );
}

/** @throws Refusal */
function saslInitialOf({ type, body }: Message): SaslInitial {
  if (type !== MessageType.password) throw badScram();
  return orRefuse(() => decodeSaslInitial(body), badScram);
}

const badScram = () => badPassword('malformed SCRAM message');

function orRefuse<T>(decode: () => T, refusal: () => Refusal): T {
  try {
    return decode();
  } catch (error) {
    throw isProtocolError(error) ? refusal() : error;
  }
}

/** The same login for another user. If no database is named, it is still that of the user whose token was good. */
function withUser({ version, parameters }: Startup, username: string, upstreamUsername: string): Startup {
  if (username === upstreamUsername) return { version, parameters };
  const database = parameters.get('database') || username;
  return { version, parameters: new Map([...parameters, ['user', upstreamUsername], ['database', database]]) };
}

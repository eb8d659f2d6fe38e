// One MySQL client, from the upstream's greeting to the end of its session.
import { ByteReader, ConnectionEnded, type ProtocolError } from '@rds-iam/wire';
import {
  type ChangeUser,
  Channel,
  Command,
  CommandTracker,
  decodeChangeUser,
  encodeAuthSwitch,
  encodeChangeUser,
  type Greeting,
  type HandshakeResponse,
  type Holds,
  joinUntilHeld,
  Plugin,
  Reply,
  settle,
} from '@rds-iam/wire/mysql';
import { admit } from '../admission.js';
import type { Connection } from '../connection.js';
import type { Faults } from '../faults.js';
import type { SeenToken } from '../login-event.js';
import type { Refusal } from '../refusal.js';
import { attempt, hangIfTold, type Login, type Shared } from '../serve.js';
import { seenToken } from '../token.js';
import { authenticate, firstAnswer } from './authentication.js';
import { leave } from './leave.js';
import { offer } from './offer.js';
import { MAX_LOGIN_PACKET_BYTES, open } from './opening.js';
import {
  brokenProtocol,
  emptyPassword,
  internalError,
  noPassword,
  plaintextRefused,
  plaintextTokenRefused,
  proxyThrottled,
  tokenRefused,
  upstreamRefused,
  type Who,
} from './refusals.js';
import { relay } from './relay.js';
import { Upstream } from './upstream.js';

const changesUser: Holds = (start) => start[0] === Command.changeUser;

/** A plugin that no account uses, so that the upstream names the right one. */
const ANY_PLUGIN = 'rds_iam_emulator';

/** See {@link Login}. */
export class MysqlLogin implements Login {
  username: string | undefined;
  token: SeenToken | undefined;
  readonly #connection: Connection;
  readonly #shared: Shared;
  readonly #upstream: Upstream;
  #channel: Channel;
  #joined = false;
  #left = false;

  constructor(connection: Connection, shared: Shared) {
    this.#connection = connection;
    this.#shared = shared;
    this.#upstream = new Upstream(shared.options.upstream, shared.track);
    this.#channel = new Channel(connection);
  }

  async run(): Promise<void> {
    await this.#hangIfTold('before-tls');
    if (this.#connection.raw.destroyed) throw new ConnectionEnded();
    // The greeting is the upstream's own, because it has the thread id for KILL and the server's capabilities.
    const greeting = await this.#upstream.dial();
    const certificate = await this.#shared.certificate();
    const offered = offer(greeting, certificate !== undefined);
    const response = await open(this.#connection, this.#channel, certificate, offered);
    this.username = response.username;
    if (!this.#connection.encrypted && this.#shared.options.requireSecureTransport) throw plaintextRefused();
    await this.#hangIfTold('before-authentication');
    const ok = this.#hasIam(response.username)
      ? await this.#logInWithToken(response, greeting)
      : await this.#logInWithPassword(response, greeting);
    this.#shared.established(this.#connection.stream);
    this.#join(ok, response, greeting);
  }

  hangUp(): void {
    if (this.#joined || this.#left) return;
    this.#left = true;
    leave(this.#upstream);
  }

  refuse(answer: Buffer): void {
    this.#connection.refuse(this.#channel.frame(answer));
  }

  protocolRefusal(error: ProtocolError): Refusal {
    return brokenProtocol(error);
  }

  internalError(error: unknown): Buffer {
    return internalError(error);
  }

  async #logInWithToken(response: HandshakeResponse, greeting: Greeting): Promise<Buffer> {
    const { username } = response;
    const { delayed } = await this.#checkToken(username, response);
    const account = this.#accountOf(username);
    const first = firstAnswer(greeting, account.password);
    await this.#upstream.respond({ ...response, ...first, username: account.username }, greeting);
    const ok = await authenticate(this.#upstream, { ...greeting, plugin: first.plugin }, account.password);
    // Only now, because the upstream does not wait long for an answer to its greeting.
    await delayed;
    if (this.#connection.raw.destroyed) throw new ConnectionEnded();
    this.#shared.countLogin('accepted', username, this.token);
    return ok;
  }

  /** A user without IAM gets the upstream's own password authentication. @throws Refusal, ProtocolError, ConnectionEnded */
  async #logInWithPassword(response: HandshakeResponse, greeting: Greeting): Promise<Buffer> {
    this.#shared.countLogin('relayed', response.username);
    await this.#upstream.respond(response, greeting);
    const { plugin, authentication } = response;
    const payload = await this.#relay(response.username, { plugin, authentication, scramble: greeting.scramble });
    if (payload[0] === Reply.error) throw upstreamRefused(payload);
    return payload;
  }

  async #relay(username: string, first: Parameters<typeof relay>[3]): Promise<Buffer> {
    const settled = await relay(this.#upstream, this.#channel, this.#connection.encrypted, first);
    if (settled.payload[0] === Reply.ok && !settled.passwordGiven) throw noPassword(this.#who(username));
    return settled.payload;
  }

  /**
   * Asks for the token, unless it has been sent already, and checks it. `delayed` resolves when a throttle lets it go on.
   * @throws Refusal, ProtocolError, ConnectionEnded
   */
  async #checkToken(
    username: string,
    { plugin, authentication }: { plugin: string; authentication: Buffer },
  ): Promise<{ delayed: Promise<void> }> {
    let sent = plugin === Plugin.clearPassword ? authentication : Buffer.alloc(0);
    if (sent.length === 0) {
      this.#channel.write(encodeAuthSwitch({ plugin: Plugin.clearPassword, data: Buffer.alloc(0) }));
      sent = await this.#channel.read(MAX_LOGIN_PACKET_BYTES);
    }
    await this.#hangIfTold('after-password');
    const token = sent.toString('utf8').replace(/\0$/, '');
    const who = this.#who(username);
    if (!this.#connection.encrypted) throw plaintextTokenRefused(who, token !== '');
    if (token === '') throw emptyPassword(who);
    this.token = seenToken(token, this.#shared.options.now());
    const delayed = admit(token, username, this.#connection.raw, this.#shared, {
      tokenRefused: (reason) => tokenRefused(reason, who),
      proxyThrottled,
    });
    return { delayed };
  }

  /** The session: every byte passes, until the client changes its user. */
  #join(answer: Buffer, response: HandshakeResponse, greeting: Greeting): void {
    const { stream, reader } = this.#connection;
    const upstream = this.#upstream.end;
    this.#joined = true;
    reader.release();
    upstream.reader.release();
    this.#channel.write(answer);
    joinUntilHeld(stream, upstream.stream, new CommandTracker(changesUser), () => {
      this.#joined = false;
      void attempt(this.#connection.raw, this.#shared, this, () => this.#changeUser(response, greeting));
    });
  }

  /** COM_CHANGE_USER is a login, too. A refused one ends the connection, as in MySQL. @throws Refusal, ProtocolError, ConnectionEnded */
  async #changeUser(response: HandshakeResponse, greeting: Greeting): Promise<void> {
    const connection = this.#connection;
    connection.reader = new ByteReader(connection.stream);
    this.#upstream.resume();
    this.#channel = new Channel(connection);
    const payload = await this.#channel.read(MAX_LOGIN_PACKET_BYTES);
    const { stream, reader } = this.#upstream.end;
    await settle(connection.stream, stream, reader);
    const change = decodeChangeUser(payload);
    this.username = change.username;
    this.token = undefined;
    if (this.#hasIam(change.username)) {
      return this.#join(await this.#changeWithToken(change, response), response, greeting);
    }
    this.#shared.countLogin('relayed', change.username);
    this.#upstream.command(payload);
    const { plugin, authentication } = change;
    const answer = await this.#relay(change.username, { plugin, authentication, scramble: greeting.scramble });
    // After an error, the upstream decides whether the session goes on.
    this.#join(answer, response, greeting);
  }

  async #changeWithToken(change: ChangeUser, { characterSet }: HandshakeResponse): Promise<Buffer> {
    const { delayed } = await this.#checkToken(change.username, change);
    await delayed;
    const { username, password } = this.#accountOf(change.username);
    this.#upstream.command(
      encodeChangeUser({
        ...change,
        characterSet: change.characterSet ?? characterSet,
        username,
        authentication: Buffer.alloc(0),
        plugin: ANY_PLUGIN,
      }),
    );
    const ok = await authenticate(this.#upstream, { plugin: ANY_PLUGIN, scramble: Buffer.alloc(0) }, password);
    this.#shared.countLogin('accepted', change.username, this.token);
    return ok;
  }

  #hasIam(username: string): boolean {
    const { iamUsers } = this.#shared.options;
    return iamUsers === undefined || iamUsers.has(username);
  }

  #accountOf(name: string): { username: string; password: string } {
    const { username = name, password } = this.#shared.options.upstream;
    return { username, password: (typeof password === 'function' ? password(username) : password) ?? '' };
  }

  #who(username: string): Who {
    return { username, address: this.#connection.address };
  }

  #hangIfTold(where: Faults['hang']): Promise<void> {
    return hangIfTold(where, this.#connection, this.#shared);
  }
}

// One connection, from its first byte to the moment that it is joined to the database behind.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { Client } from './client.js';
import type { Faults } from './faults.js';
import { join } from './join.js';
import type { CheckedOptions } from './options.js';
import {
  Authentication,
  encodeAuthentication,
  encodeStartup,
  MAX_PASSWORD_BYTES,
  parsePassword,
  parseSaslInitial,
  type Startup,
  sqlState,
} from './protocol.js';
import { ByteReader, ConnectionEnded, readMessage } from './reader.js';
import {
  badPassword,
  emptyPassword,
  internalError,
  passwordRefused,
  plaintextRefused,
  proxyThrottled,
  Refusal,
  type RefusalReason,
  tokenRefused,
  upstreamRefused,
} from './refusals.js';
import { MECHANISM, mockServerFirst } from './scram.js';
import type { AcceptedTokens, RateWindow } from './throttle.js';
import { checkToken, tokenExpirationMs } from './token.js';
import { authenticationRequest, dial, logIn, readUpstream } from './upstream.js';

/** What all connections of an emulator share. */
export interface Shared {
  readonly options: CheckedOptions;
  /** The port that tokens must be signed for. */
  readonly tokenPort: number;
  /** What is to go wrong now. */
  readonly faults: Faults;
  readonly rate: RateWindow | undefined;
  readonly tokens: AcceptedTokens;
  /** Salts the answers to users who cannot log in. */
  readonly mockSecret: Buffer;
  /** The certificate to present now; `undefined` for no TLS. */
  certificate(): Promise<SecureContext | undefined>;
  /** Sees every socket to the upstream before anything can go wrong with it. */
  track(socket: Socket): void;
  count(event: 'accepted' | 'relayed' | 'cancelRequests'): void;
  countRefusal(reason: RefusalReason): void;
  /** Takes note of a session that has begun. */
  established(client: Socket): void;
}

/** Serves one connection. Never rejects: whatever a client does costs that client's connection only. */
export async function serve(raw: Socket, shared: Shared): Promise<void> {
  const login = new Login(raw, shared);
  let refused = false;
  const timer = setTimeout(() => {
    if (!refused) shared.countRefusal('timeout');
    raw.destroy(); // PostgreSQL, too, says nothing
  }, shared.options.authenticationTimeoutMs);
  timer.unref();
  raw.once('close', () => {
    clearTimeout(timer);
    login.hangUp();
  });
  try {
    await login.run();
    clearTimeout(timer);
  } catch (error) {
    refused = true;
    login.hangUp();
    if (error instanceof Refusal) {
      shared.countRefusal(error.reason);
      if (error.answer) return login.client.refuse(error.answer);
    } else if (!(error instanceof ConnectionEnded)) {
      return login.client.refuse(internalError(error));
    }
    raw.destroy();
  }
}

class Login {
  readonly client: Client;
  readonly #shared: Shared;
  /** The sockets to the upstream, as long as they are not joined to the client. */
  #dialled: Socket[] = [];

  constructor(raw: Socket, shared: Shared) {
    this.client = new Client(raw);
    this.#shared = shared;
  }

  /** Resolves when the client is joined to the upstream. @throws Refusal, ConnectionEnded */
  async run(): Promise<void> {
    const { client } = this;
    await this.#hangIfTold('before-tls');
    const opening = await client.open(() => this.#shared.certificate());
    if (opening.kind === 'cancel') return this.#passCancel(opening.packet);

    const { startup } = opening;
    const username = startup.parameters.get('user') ?? '';
    if (!client.encrypted) throw plaintextRefused(addressOf(client.raw), startup.parameters);
    await this.#hangIfTold('before-authentication');
    const { iamUsers } = this.#shared.options;
    if (iamUsers && !iamUsers.has(username)) await this.#logInWithPassword(startup, username);
    else await this.#logInWithToken(startup, username);
  }

  /** Leaves the upstream, unless a session has begun. */
  hangUp(): void {
    for (const socket of this.#dialled) socket.destroy();
  }

  async #logInWithToken(startup: Startup, username: string): Promise<void> {
    const { client } = this;
    client.stream.write(encodeAuthentication(Authentication.cleartextPassword));
    const { type, body } = await readMessage(client.reader, MAX_PASSWORD_BYTES);
    const token = parsePassword(type, body);
    await this.#hangIfTold('after-password');
    await this.#admit(token, username);

    const { upstream, reader } = await this.#dial(startup);
    const { password } = this.#shared.options.upstream;
    const ok = await logIn(upstream, reader, username, password, (bytes) => client.stream.write(bytes));
    this.#shared.count('accepted');
    this.#join(upstream, reader, ok.bytes);
  }

  /** Checks the token, and the limit on logins. @throws Refusal, ConnectionEnded */
  async #admit(token: string, username: string): Promise<void> {
    if (token === '') throw emptyPassword();
    const { options, tokens, tokenPort: port, faults, rate } = this.#shared;
    const nowMs = options.now() + (faults.clockOffsetMs ?? 0);
    const { hostnames, region, accessKeys } = options;
    const reason = checkToken(token, { username, hostnames, port, region, accessKeys, nowMs });
    if (reason) throw tokenRefused(reason, username);

    const { throttle } = faults;
    const counts = throttle?.counting === 'logins' || !tokens.has(token);
    if (throttle && counts && rate?.admit(nowMs) === false) {
      if (throttle.action === 'deny') {
        throw throttle.wording === 'rds-proxy' ? proxyThrottled() : tokenRefused('throttled', username);
      }
      if (throttle.action === 'reset') {
        this.client.raw.resetAndDestroy();
        throw new Refusal('throttled');
      }
      await delay(throttle.delayMs ?? 1000, this.client.raw);
    }
    tokens.add(token, tokenExpirationMs(token), nowMs);
  }

  /** A user without `rds_iam` gets the upstream's own password authentication, or none at all. @throws Refusal */
  async #logInWithPassword(startup: Startup, username: string): Promise<void> {
    const { upstream, reader } = await this.#dial(startup);
    for (;;) {
      const message = await readUpstream(reader);
      switch (authenticationRequest(message)) {
        case Authentication.cleartextPassword:
        case Authentication.md5Password:
        case Authentication.sasl:
          // From here on the two settle it between them.
          this.#shared.count('relayed');
          return this.#join(upstream, reader, message.bytes);
      }
      if (message.type === 'N' || message.type === 'v') {
        this.client.stream.write(message.bytes);
        continue;
      }
      if (message.type === 'E' && !sqlState(message.body)?.startsWith('28')) throw upstreamRefused(message.bytes);
      // It would let the user in, or keep the user out, without asking for a password; RDS does neither.
      this.hangUp();
      return this.#mockPasswordLogin(username);
    }
  }

  /** Goes through the motions of SCRAM-SHA-256, as PostgreSQL does for users who have no password. @throws Refusal */
  async #mockPasswordLogin(username: string): Promise<never> {
    const { stream, reader } = this.client;
    stream.write(encodeAuthentication(Authentication.sasl, Buffer.from(`${MECHANISM}\0\0`)));
    const { type, body } = await readMessage(reader, MAX_PASSWORD_BYTES);
    const initial = type === 'p' ? parseSaslInitial(body) : undefined;
    const serverFirst =
      initial?.mechanism === MECHANISM && mockServerFirst(initial.data, username, this.#shared.mockSecret);
    if (!serverFirst) throw badPassword('malformed SCRAM message');
    stream.write(encodeAuthentication(Authentication.saslContinue, Buffer.from(serverFirst)));
    await readMessage(reader, MAX_PASSWORD_BYTES);
    throw passwordRefused(username);
  }

  async #dial(startup: Startup): Promise<{ upstream: Socket; reader: ByteReader }> {
    const upstream = await this.#connect();
    upstream.write(encodeStartup(startup));
    return { upstream, reader: new ByteReader(upstream) };
  }

  async #connect(): Promise<Socket> {
    if (this.client.raw.destroyed) throw new ConnectionEnded();
    return dial(this.#shared.options.upstream, (socket) => {
      this.#shared.track(socket);
      this.#dialled.push(socket);
    });
  }

  #join(upstream: Socket, reader: ByteReader, firstBytes: Buffer): void {
    const { client } = this;
    this.#dialled = [];
    client.reader.release();
    reader.release();
    this.#shared.established(client.stream);
    client.stream.write(firstBytes);
    join(client.stream, upstream);
  }

  /** Passes a CancelRequest on. As with PostgreSQL, the client sees that it is done when the connection closes. */
  async #passCancel(packet: Buffer): Promise<never> {
    this.#shared.count('cancelRequests');
    // There is no answer to a CancelRequest, and so none to its failure.
    const upstream = await this.#connect().catch(() => undefined);
    if (upstream) {
      upstream.resume().end(packet);
      await closed(upstream);
    }
    throw new ConnectionEnded();
  }

  async #hangIfTold(where: Faults['hang']): Promise<void> {
    if (this.#shared.faults.hang !== where) return;
    this.client.ignore();
    await closed(this.client.raw);
    throw new ConnectionEnded();
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

function delay(ms: number, socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      socket.off('close', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    socket.once('close', done);
  });
}

const addressOf = (socket: Socket): string => (socket.remoteAddress ?? '').replace(/^::ffff:/, '');

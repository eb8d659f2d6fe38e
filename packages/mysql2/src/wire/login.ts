import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { assertVerifiedPeer, dialedLogin, type Login, LoginFailure, type MakeSocket } from '@rds-iam/core/adapter';
import {
  clearPassword,
  errorNumber,
  isError,
  isOk,
  numbered,
  overTls,
  type Packet,
  PacketAssembler,
  PacketReader,
  pluginWanted,
  protocolError,
  readGreeting,
} from './packets.js';

/** What a login needs of the driver. */
export interface Driver {
  readonly dial: MakeSocket;
  /**
   * Opens a connection of the driver's over a stream, of which `failed` is told the driver's own error. It is dropped when
   * it has said what it would answer, so it must have no timer.
   */
  speak(over: Duplex, failed: (error: unknown) => void): void;
  /**
   * How it has answered greetings so far, by their kind: always the same, as there is no password in it. To ask for each
   * login would cost a pool a tenth of its connections per second.
   */
  readonly answers: Map<string, Packet>;
}

/** A connection that has logged in, and what the server said: a driver to which it is repeated has logged in too. */
export interface LoggedIn {
  readonly socket: TLSSocket;
  /** The session that the socket was told to resume. */
  readonly resumed: Buffer | undefined;
  readonly greeting: Packet;
  readonly ok: Packet;
}

const NO_PASSWORD_GIVEN = [1045, 1698];

/** Dials, upgrades to TLS and logs in with a token: one attempt. */
export function logIn(login: Login, driver: Driver): Promise<LoggedIn> {
  return dialedLogin(login, driver.dial, async (raw, startTls) => {
    const inClear = new PacketReader(raw);
    const first = await inClear.next();
    if (isError(first)) throw await new Interpreter(driver).errorOf(first);
    const greeting = readGreeting(first);
    if (!greeting) throw protocolError('no greeting');
    if (!greeting.offersTls) {
      throw new LoginFailure('tls-not-offered');
    }
    const known = driver.answers.get(greeting.kind);
    const answer = known ?? (await new Interpreter(driver).answerTo(greeting.withoutTls));
    driver.answers.set(greeting.kind, answer);
    const { request, response } = overTls(answer);
    inClear.release();
    raw.write(request);
    const { socket: secure, resumed } = await startTls();
    const reader = new PacketReader(secure);
    secure.write(response);

    let tokenSent = false;
    for (;;) {
      const packet = await reader.next();
      const plugin = pluginWanted(packet);
      if (plugin === 'mysql_clear_password' && !tokenSent) {
        assertVerifiedPeer(secure, login.identity, resumed);
        secure.write(clearPassword(login.token, packet));
        login.session.keep(secure);
        tokenSent = true;
      } else if (tokenSent && !isOk(packet) && !isError(packet)) {
        throw protocolError('the server wants more than the token');
      } else if (plugin !== undefined) {
        throw notAnIamUser(`the server asks for ${plugin}`);
      } else if (isOk(packet)) {
        if (!tokenSent) throw notAnIamUser('the server let this user in without asking for anything');
        reader.release();
        return { socket: secure, resumed, greeting: greeting.withoutTls, ok: numbered(packet, 2) };
      } else if (isError(packet)) {
        const interpreter = new Interpreter(driver);
        await interpreter.answerTo(greeting.withoutTls);
        const error = await interpreter.errorOf(numbered(packet, 2));
        if (!tokenSent && NO_PASSWORD_GIVEN.includes(errorNumber(packet))) {
          throw notAnIamUser('the server refuses this user without asking for a token', error);
        }
        throw error;
      } else {
        throw notAnIamUser('the server goes on with another way of logging in');
      }
    }
  });
}

/**
 * A connection of the driver's own that never reaches a server, and says how this driver, in this version and with these
 * options, answers a greeting, and what error it makes of a refusal.
 */
class Interpreter {
  readonly #answer: Promise<Packet>;
  readonly #failure: Promise<unknown>;
  readonly #over: Duplex;

  constructor(driver: Driver) {
    const assembler = new PacketAssembler();
    let answered: (packet: Packet) => void = ignore;
    this.#answer = new Promise((resolve) => {
      answered = resolve;
    });
    this.#over = new DriverSocket({
      read: ignore,
      write(chunk: Buffer, _encoding, done) {
        assembler.add(chunk);
        const packet = assembler.take();
        if (packet) answered(Buffer.from(packet));
        done();
      },
    });
    this.#failure = new Promise((resolve) => driver.speak(this.#over, resolve));
  }

  async answerTo(greeting: Packet): Promise<Packet> {
    this.#over.push(greeting);
    return Promise.race([
      this.#answer,
      this.#failure.then((error) => {
        throw error;
      }),
    ]);
  }

  errorOf(refusal: Packet): Promise<unknown> {
    this.#over.push(refusal);
    return this.#failure;
  }
}

/** A stream with those methods of a socket that drivers call without asking whether there is one. */
export class DriverSocket extends Duplex {
  setKeepAlive(..._settings: unknown[]): this {
    return this;
  }

  setNoDelay(..._settings: unknown[]): this {
    return this;
  }

  setTimeout(..._settings: unknown[]): this {
    return this;
  }

  address(): object {
    return {};
  }
}

function notAnIamUser(what: string, cause?: unknown): LoginFailure {
  return new LoginFailure('stored-password-wanted', what, cause === undefined ? {} : { cause });
}

function ignore(): void {}

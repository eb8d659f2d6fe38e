import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RdsIam } from '@rds-iam/core';
import {
  assertVerifiedPeer,
  type DriverTls,
  type Endpoint,
  type Login,
  LoginFailure,
  postgres,
} from '@rds-iam/core/adapter';
import pg from 'pg';

/** What of pg's `Connection` is used here: it is exported by every pg 8, but its types leave these members out. */
interface PgConnection extends NodeJS.EventEmitter {
  stream: Duplex;
  ssl: unknown;
  _connecting: boolean;
  _ending: boolean;
  connect(port: number, host: string): void;
  password(password: string): void;
  end(): void;
}

const PgConnection = pg.Connection as unknown as new (config: object) => PgConnection;

type MakeStream = (config: object) => Duplex;

export interface IamConnectionOptions {
  readonly iam: RdsIam;
  readonly ssl: DriverTls;
  /** pg's `stream` option. */
  readonly stream: Duplex | MakeStream | undefined;
  readonly keepAlive: boolean | undefined;
  readonly keepAliveInitialDelayMillis: number | undefined;
  readonly sslNegotiation: string | undefined;
  readonly timeoutMs: number | undefined;
  /** Once aborted, an attempt under way may finish but no other follows. */
  readonly stopRetrying: AbortSignal | undefined;
}

/**
 * pg's connection with an IAM login: the one hook of this package. A `Client` tells its connection to connect and waits
 * for it to be ready; in between, this class may dial and log in several times. It keeps the failures of an attempt from
 * the client, which could not go on after one, and answers the server's question for the password itself, so that the
 * token is never a property of anything and passes one gate only.
 */
export class IamConnection extends PgConnection {
  readonly #options: IamConnectionOptions;
  readonly #ended = new AbortController();
  #endpoint: Endpoint | undefined;
  #attempt: Attempt | undefined;
  #isOpen = false;

  constructor(options: IamConnectionOptions) {
    const { keepAlive, keepAliveInitialDelayMillis, sslNegotiation } = options;
    super({ stream: new Socket(), ssl: true, keepAlive, keepAliveInitialDelayMillis, sslNegotiation });
    this.#options = options;
  }

  /** Says where to; pg's client knows only after its own constructor has read the environment. */
  logInTo(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
  }

  override connect(port: number, host: string): void {
    const { iam, ssl, timeoutMs, stopRetrying } = this.#options;
    const endpoint = this.#endpoint ?? { hostname: host, port, username: '' };
    this._connecting = true;
    iam
      .connect(endpoint, (login) => this.#logIn(login), {
        engine: postgres,
        ssl,
        signal: this.#ended.signal,
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(stopRetrying && { stopRetrying }),
      })
      .catch((error: unknown) => {
        this.#isOpen = true;
        super.emit('error', error);
        super.emit('end');
      });
  }

  override emit(event: string, ...args: unknown[]): boolean {
    if (this.#isOpen) return super.emit(event, ...args);
    switch (event) {
      case 'connect':
        this.#attempt?.login.reached('login');
        return super.emit(event, ...args);
      case 'sslconnect':
        this.#attempt?.login.reached('tls');
        return super.emit(event, ...args);
      case 'authenticationCleartextPassword':
        this.#attempt?.login.reached('login');
        this.#sendToken();
        return true;
      case 'authenticationMD5Password':
      case 'authenticationSASL':
        this.#fail(new LoginFailure('stored-password-wanted'));
        return true;
      case 'error':
      case 'errorMessage':
        this.#fail(args[0]);
        return true;
      case 'end':
        this.#attempt?.closed();
        return true;
      case 'readyForQuery':
        this.#isOpen = true;
        this.#attempt?.succeeded();
        return super.emit(event, ...args);
      default:
        return super.emit(event, ...args);
    }
  }

  override end(): void {
    if (this.#isOpen) {
      super.end();
    } else {
      this._ending = true;
      this.#ended.abort();
      this.stream.destroy();
    }
  }

  async #logIn(login: Login): Promise<void> {
    this.stream = this.#newStream();
    this.ssl = login.tls;
    const close = () => this.stream.destroy();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#attempt = new Attempt(login, resolve, reject);
        login.signal.addEventListener('abort', close, { once: true });
        if (login.signal.aborted) reject(login.signal.reason);
        else super.connect(login.port, login.hostname);
      });
    } finally {
      login.signal.removeEventListener('abort', close);
      this.#attempt = undefined;
    }
  }

  #newStream(): Duplex {
    const { stream, ssl } = this.#options;
    if (typeof stream === 'function') return stream({ ssl });
    return stream ?? new Socket();
  }

  #sendToken(): void {
    const login = this.#attempt?.login;
    if (!login) return;
    try {
      assertVerifiedPeer(this.stream, login.identity);
      super.password(login.token);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the attempt; it is over when the socket is closed, so that nothing of it reaches the next. */
  #fail(error: unknown): void {
    if (this.#attempt) this.#attempt.failure ??= error;
    this.stream.destroy();
  }
}

class Attempt {
  failure: unknown;
  readonly login: Login;
  readonly succeeded: () => void;
  readonly #reject: (reason: unknown) => void;

  constructor(login: Login, succeeded: () => void, reject: (reason: unknown) => void) {
    this.login = login;
    this.succeeded = succeeded;
    this.#reject = reject;
  }

  closed(): void {
    this.#reject(this.failure ?? new LoginFailure('connection-lost'));
  }
}

// One connection in either protocol: its time limit for the login, and how a failure is handled.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { ConnectionEnded, isConnectionEnded, isProtocolError, type ProtocolError } from '@rds-iam/wire';
import { Connection } from './connection.js';
import type { Faults } from './faults.js';
import type { SeenToken } from './login-event.js';
import type { CheckedOptions } from './options.js';
import { Refusal, type RefusalReason } from './refusal.js';
import { closed } from './sockets.js';
import type { AcceptedTokens, RateWindow } from './throttle.js';

/** What all connections to an emulator share. */
export interface Shared {
  readonly options: CheckedOptions;
  /** The port that tokens must be signed for. */
  readonly tokenPort: number;
  /** The current faults. */
  readonly faults: Faults;
  readonly rate: RateWindow | undefined;
  readonly tokens: AcceptedTokens;
  /** Salts the answers to users who cannot log in. */
  readonly mockSecret: Buffer;
  /** The current certificate; `undefined` for no TLS. */
  certificate(): Promise<SecureContext | undefined>;
  /** Sees every socket to the upstream before anything can go wrong with it. */
  track(socket: Socket): void;
  countLogin(outcome: 'accepted' | 'relayed', username: string, token?: SeenToken): void;
  countRefusal(reason: RefusalReason, username: string | undefined, token: SeenToken | undefined): void;
  countCancelRequest(): void;
  /** Registers a session that has begun. */
  established(client: Socket): void;
}

/** One client's login, in the protocol of an engine. */
export interface Login {
  /** The user who logs in, once the client has said so. */
  readonly username: string | undefined;
  /** The token, once the client has sent it. */
  readonly token: SeenToken | undefined;
  /** Resolves when the client is joined to the upstream. @throws Refusal, ProtocolError, ConnectionEnded */
  run(): Promise<void>;
  /** Leaves the upstream if no session has begun. */
  hangUp(): void;
  /** Tells the client, and ends. */
  refuse(answer: Buffer): void;
  /** Makes the refusal for a client that breaks the protocol. */
  protocolRefusal(error: ProtocolError): Refusal;
  /** Makes the refusal for an internal error, or one of a function that the user passed in. */
  internalError(error: unknown): Buffer;
}

export type StartLogin = (connection: Connection, shared: Shared) => Login;

/** Serves one connection. Never rejects: whatever a client does affects only its own connection. */
export async function serve(raw: Socket, shared: Shared, startLogin: StartLogin): Promise<void> {
  const login = startLogin(new Connection(raw), shared);
  raw.once('close', () => login.hangUp());
  await attempt(raw, shared, login, () => login.run());
}

/** Runs a client's login with its time limit. Never rejects. */
export async function attempt(raw: Socket, shared: Shared, login: Login, run: () => Promise<void>): Promise<void> {
  let refused = false;
  const timer = setTimeout(() => {
    if (!refused) shared.countRefusal('timeout', login.username, login.token);
    raw.destroy(); // silently, like PostgreSQL and MySQL
  }, shared.options.authenticationTimeoutMs);
  timer.unref();
  const stop = () => clearTimeout(timer);
  raw.once('close', stop);
  try {
    await run();
    stop();
    raw.off('close', stop);
  } catch (thrown) {
    refused = true;
    login.hangUp();
    const error = isProtocolError(thrown) ? login.protocolRefusal(thrown) : thrown;
    if (error instanceof Refusal) {
      // If a client leaves, we close our connection to the upstream, but do not count a refusal.
      if (!(raw.destroyed && error.reason === 'upstream'))
        shared.countRefusal(error.reason, login.username, login.token);
      if (error.answer) return login.refuse(error.answer);
    } else if (!isConnectionEnded(error)) {
      return login.refuse(login.internalError(error));
    }
    raw.destroy();
  }
}

/** Hangs if a fault says so. @throws ConnectionEnded once the client is gone */
export async function hangIfTold(where: Faults['hang'], connection: Connection, shared: Shared): Promise<void> {
  if (shared.faults.hang !== where) return;
  connection.ignore();
  await closed(connection.raw);
  throw new ConnectionEnded();
}

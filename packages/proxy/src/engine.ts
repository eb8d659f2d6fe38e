import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Login } from '@rds-iam/core';
import type { Client } from './client.js';
import type { ProxyTarget } from './options.js';
import type { Refusal } from './refusal.js';

/** What an engine is to the proxy. There is one for each target: what clients have to share is kept in it. */
export interface Engine {
  startLogin(client: Client, door: Door): ClientLogin;
}

/** One client's login, in the protocol of an engine. */
export interface ClientLogin {
  /**
   * Speaks to the client, and logs in to the server for it; resolves once every byte passes between the two. `undefined` is
   * a client whose wish was done without, as to cancel a query.
   *
   * @throws Refusal, ProtocolError, ConnectionEnded, and what {@link Door.connect} throws
   */
  run(): Promise<Session | undefined>;
  /** Tells the client why, in the words of its protocol, and ends. */
  refuse(refusal: Refusal): void;
}

/** A client and a server that are joined. It ends when the client's connection has closed. */
export interface Session {
  readonly server: Socket;
  readonly username: string;
  readonly database: string | undefined;
}

/** What the proxy does for all engines alike: who may come in, and the way to the server. */
export interface Door {
  readonly target: ProxyTarget;
  /** What clients have to prove that they know. `undefined`: nothing. */
  readonly password: string | undefined;
  /** The proxy's own certificate, for a client that wants TLS. */
  readonly tls: SecureContext | undefined;
  /** Whether a client has to want TLS. */
  readonly requiresTls: boolean;
  /** Takes down whom the client says it is, for the log. */
  says(username: string, database: string | undefined): void;
  /**
   * To be asked once the client has proved that it knows the password: others learn nothing.
   *
   * @throws Refusal if this is not what the port is for
   */
  checkAsked(username: string, database: string | undefined): void;
  /**
   * Opens a connection to the server with core's `connect`. While it does, the time that a client has to log in stands
   * still. All is closed when the client goes.
   *
   * @param once - whether to try once only
   */
  connect<T>(username: string, open: (login: Login) => Promise<T>, once?: boolean): Promise<T>;
  /** A TCP connection to the server, for `open`. */
  dial(login: Login, address?: string): Duplex | Promise<Duplex>;
  /** A token for a user, as for a change of user within a session. */
  getToken(username: string): Promise<string>;
}

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Login } from '@rds-iam/core';
import type { Client } from './client.js';
import type { ProxyTarget } from './options.js';
import type { Refusal } from './refusal.js';

/** An engine, as the proxy sees it. There is one for each target, with the state that its clients share. */
export interface Engine {
  startLogin(client: Client, door: Door): ClientLogin;
}

/** One client's login, in the protocol of an engine. */
export interface ClientLogin {
  /**
   * Talks to the client and logs in to the server for it; resolves once every byte passes between the two. `undefined` if the
   * client needed no session, as for canceling a query.
   *
   * @throws Refusal, ProtocolError, ConnectionEnded, and whatever {@link Door.connect} throws
   */
  run(): Promise<Session | undefined>;
  /** Tells the client why, in its protocol, and ends. */
  refuse(refusal: Refusal): void;
}

/** A client joined to a server. The session ends when the client's connection has closed. */
export interface Session {
  readonly server: Socket;
  readonly username: string;
  readonly database: string | undefined;
}

/** What the proxy does for every engine: it decides who may come in, and connects to the server. */
export interface Door {
  readonly target: ProxyTarget;
  /** The password that clients have to know; `undefined` for none. */
  readonly password: string | undefined;
  /** The proxy's own certificate, for clients that want TLS. */
  readonly tls: SecureContext | undefined;
  /** Whether clients must use TLS. */
  readonly requiresTls: boolean;
  /** Notes for the log who the client says it is. */
  says(username: string, database: string | undefined): void;
  /**
   * Call this once the client has proved that it knows the password: others must learn nothing.
   *
   * @throws Refusal if the port is not for this user or database
   */
  checkAsked(username: string, database: string | undefined): void;
  /**
   * Opens a connection to the server with core's `connect`. Meanwhile, the client's time limit for logging in stands still.
   * Everything is closed if the client leaves.
   *
   * @param once - whether to try only once
   */
  connect<T>(username: string, open: (login: Login) => Promise<T>, once?: boolean): Promise<T>;
  /** Makes a TCP connection to the server, for `open`. */
  dial(login: Login, address?: string): Duplex | Promise<Duplex>;
  /** A token for a user, for a change of user within a session. */
  getToken(username: string): Promise<string>;
  /** Notes for the log why a session ends whose client wanted another user, or whose commands cannot be read. */
  changeRefused(refusal: Refusal): void;
}

import type { ConnectionOptions } from 'node:tls';
import type { Dial } from './dial.js';
import type { Engine } from './engines/engine.js';
import type { DriverTls, PeerSession } from './tls.js';

/** Everything that a driver needs to open one physical connection. */
export interface Login {
  /** The host to dial: the RDS endpoint that the configured name stands for. */
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  /** The password. Write it only to a socket that `assertVerifiedPeer(socket, login.identity)` has passed. */
  readonly token: string;
  /** For `tls.connect` or the driver's own TLS option. */
  readonly tls: ConnectionOptions;
  /** The name or address that the server's certificate must be issued to. */
  readonly identity: string;
  /** The session with this peer to resume, for a driver whose TLS is ours. */
  readonly session: PeerSession;
  /** Where to connect instead of this endpoint; `dialedLogin` takes care of it. */
  readonly dial?: Dial | undefined;
  /** Aborted when this attempt has to end: `open` must then close what it opened and reject. */
  readonly signal: AbortSignal;
  /** Reports the step that begins now, so that a time-out can name it; the first is `dial`. */
  readonly reached: (phase: 'dial' | 'tls' | 'login') => void;
}

/** The steps of an attempt to open a physical connection, in this order. */
export type Phase = 'endpoint' | 'credentials' | 'admission' | 'dial' | 'tls' | 'login';

/** What an adapter knows about the one connection that it opens. */
export interface ConnectOptions<T = unknown> {
  /** The engine behind the endpoint: `postgres` or `mysql` of `@rds-iam/core/adapter`, or one of your own. */
  readonly engine?: Engine;
  /** Ends everything at once. */
  readonly signal?: AbortSignal;
  /** Once aborted, an attempt under way may finish but no other follows: for a pool that is draining. */
  readonly stopRetrying?: AbortSignal;
  /** The driver's own TLS options, to be merged with what IAM requires. */
  readonly ssl?: DriverTls;
  /** The driver's own deadline for all attempts, in milliseconds, in place of that of the retry options. */
  readonly timeoutMs?: number;
  /** The driver's name for `timeoutMs`, such as `connectionTimeoutMillis`, for the final error. */
  readonly timeoutOption?: string;
  /** How long the framework above waits, in milliseconds: an upper limit on the deadline for all attempts. */
  readonly atMostMs?: number;
  /** The framework's name for `atMostMs`, for the final error. */
  readonly atMostOption?: string;
  /**
   * Closes a connection that `open` delivers too late, when nobody is waiting for it any more.
   * @defaultValue calls its method `destroy`, else `end`, else `close`
   */
  readonly discard?: (late: T) => void;
}

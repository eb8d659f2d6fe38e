import type { ConnectionOptions } from 'node:tls';
import type { Dial } from './dial.js';
import type { Engine } from './engines/engine.js';
import type { DriverTls, PeerSession } from './tls.js';

/** All that a driver needs to open one physical connection. */
export interface Login {
  /** The host to dial: the RDS endpoint that the configured name stands for. */
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  /** The password. Write it only to a socket that `assertVerifiedPeer(socket, login.identity)` has passed. */
  readonly token: string;
  /** For `tls.connect`, or for the driver's own TLS option. */
  readonly tls: ConnectionOptions;
  /** The name or address that the server's certificate has to be made out to. */
  readonly identity: string;
  /** For a driver whose TLS is ours: the session with this peer, to be resumed. */
  readonly session: PeerSession;
  /** Where to connect instead of to this endpoint: `dialedLogin` does so. */
  readonly dial?: Dial | undefined;
  /** Aborted when this attempt has to end; `open` then closes what it opened and rejects. */
  readonly signal: AbortSignal;
  /** Says what is waited for now, so that a time-out can name it; it begins with `dial`. */
  readonly reached: (phase: 'dial' | 'tls' | 'login') => void;
}

/** The steps of an attempt to open a physical connection, in this order. */
export type Phase = 'endpoint' | 'credentials' | 'admission' | 'dial' | 'tls' | 'login';

/** What an adapter knows of the one connection that it opens. */
export interface ConnectOptions<T = unknown> {
  /** What is behind the endpoint: `postgres` or `mysql` of `@rds-iam/core/adapter`, or one of your own. */
  readonly engine?: Engine;
  /** Ends everything at once. */
  readonly signal?: AbortSignal;
  /** Once aborted, an attempt under way may finish but no other follows: for a pool that drains. */
  readonly stopRetrying?: AbortSignal;
  /** The driver's own TLS options, to be merged with what IAM demands. */
  readonly ssl?: DriverTls;
  /** The driver's own deadline over all attempts, in milliseconds, in place of that of the retry options. */
  readonly timeoutMs?: number;
  /** What the driver calls `timeoutMs`, for the final error, as `connectionTimeoutMillis`. */
  readonly timeoutOption?: string;
  /** How long the framework above waits, in milliseconds: no deadline over all attempts is longer. */
  readonly atMostMs?: number;
  /** What the framework calls `atMostMs`, for the final error. */
  readonly atMostOption?: string;
  /**
   * Closes a connection that `open` delivers too late, when nobody waits for it any more.
   * @defaultValue calls its method `destroy`, else `end`, else `close`
   */
  readonly discard?: (late: T) => void;
}

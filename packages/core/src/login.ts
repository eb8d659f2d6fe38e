import type { ConnectionOptions } from 'node:tls';
import type { Admission } from './admission.js';
import type { Clock } from './clock.js';
import type { Endpoint } from './endpoint.js';
import type { Engine } from './engines/engine.js';
import type { CheckedOptions } from './options.js';
import type { DriverTls, PeerSession } from './tls.js';
import type { AuthToken } from './tokens.js';

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
  /** Aborted when this attempt has to end; `open` then closes what it opened and rejects. */
  readonly signal: AbortSignal;
}

/** What an adapter knows of the one connection that it opens. */
export interface ConnectOptions {
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
  /** How long the framework above waits, in milliseconds: no deadline over all attempts is longer. */
  readonly atMostMs?: number;
}

/** Where the token is for and whom the certificate must name. */
export interface Target extends Endpoint {
  readonly region: string | undefined;
}

/** What connecting needs of an {@link RdsIam}, and of the world. */
export interface ConnectContext extends Clock {
  readonly options: Pick<
    CheckedOptions,
    'retryPolicy' | 'maxConnectionsPerSecond' | 'maxWaitingConnections' | 'limiter' | 'clockOffsetMs'
  >;
  /** By host name and port. */
  readonly admissions: Map<string, Admission>;
  random(): number;
  target(endpoint: Endpoint): Promise<Target>;
  token(target: Target): Promise<AuthToken>;
  tls(ssl: DriverTls, target: Target): Promise<ConnectionOptions>;
  /** Whose certificates are trusted, in words. */
  trusted(ssl: DriverTls, target: Target): Promise<string>;
  identity(hostname: string, ssl: DriverTls): string;
  session(tls: ConnectionOptions, identity: string, port: number): PeerSession;
  dropToken(target: Target, token: string): void;
  loggedInBefore(endpoint: Endpoint): boolean;
  rememberLogin(endpoint: Endpoint): void;
  clockSkewMs(target: Target): Promise<number | undefined>;
}

import type { Socket } from 'node:net';
import type { Engine, Stack } from '@rds-iam/conformance';
import type { Clock } from '../src/clock.js';
import type { ProxyOptions, RdsIamProxy } from '../src/index.js';

/** A client that is in. */
interface Session {
  readonly socket: Socket;
  /** Resolves when the connection is lost. */
  readonly cutOff: Promise<unknown>;
  /** Asks for 1. */
  one(): Promise<unknown>;
}

/** How far a client has come. */
export interface Phase<Config> {
  readonly name: string;
  /** Whether it has proved by then that it knows the password. */
  readonly isKnown: boolean;
  reach(site: SubjectSite<Config>): Promise<Socket>;
}

export interface SubjectSite<Config> {
  readonly proxy: RdsIamProxy;
  /** What a driver would be configured with. */
  readonly config: Config;
}

/** A database server of the test's own, where a user needs no password. */
interface OwnServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  restart(): Promise<void>;
}

type WhoAmI<Config> = (config: Config) => Promise<string>;

/** The clients of an engine, for the tests that are the same for all engines. */
export interface Subject<Config> {
  readonly engine: Engine;
  startSite(stack: Stack, options?: Partial<ProxyOptions>, clock?: Clock): Promise<SubjectSite<Config>>;
  /** Each is another driver's: logs in, asks the server as whom, and ends. */
  readonly logins: readonly [WhoAmI<Config>, ...WhoAmI<Config>[]];
  /** Begins to log in. */
  begin(config: Config): Socket;
  /** Logs in, for the rest of a test. */
  logIn(config: Config): Promise<Session>;
  /** What a login ends with. */
  refusal(config: Config): Promise<{ readonly sqlState: string | undefined; readonly text: string }>;
  /** SQLSTATE of a server that cannot be reached. */
  readonly unreachable: string;
  /** How often the proxy logs in for itself before its first client. */
  readonly ownLogins: number;
  readonly phases: readonly Phase<Config>[];
  startServer(): Promise<OwnServer>;
}

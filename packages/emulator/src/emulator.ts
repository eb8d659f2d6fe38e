// The server: listens, passes connections to the login, keeps the counts, and shuts everything down again.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type CertificateAuthority, createCertificateAuthority } from './certificates.js';
import { checkFaults, type Faults } from './faults.js';
import type { LoginEvent } from './login-event.js';
import { MysqlLogin } from './mysql/login.js';
import { checkOptions, type EmulatorOptions } from './options.js';
import { PostgresLogin } from './postgres/login.js';
import { REFUSAL_REASONS, type RefusalReason } from './refusal.js';
import { type Shared, type StartLogin, serve } from './serve.js';
import { AcceptedTokens, RateWindow } from './throttle.js';

/** What an emulator has counted since it started. */
export interface EmulatorStats {
  /** TCP connections that were accepted. */
  readonly connections: number;
  /** How many of these are open now, logged in or not. */
  readonly open: number;
  /** Logins with a token that the upstream has let in, including MySQL's changes of user. */
  readonly accepted: number;
  /** Users without `rds_iam` who were left to the upstream's password authentication, whatever the outcome. */
  readonly relayed: number;
  /** Connections that were refused, by reason. Clients never learn the reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** How many different tokens were accepted. */
  readonly distinctTokens: number;
  /** PostgreSQL's CancelRequests that were passed on. */
  readonly cancelRequests: number;
}

/** A running emulator. `await using` closes it. */
export interface Emulator extends AsyncDisposable {
  /** The name to connect to and to sign tokens for: the first of {@link EmulatorOptions.hostnames}. */
  readonly hostname: string;
  /** The port it listens on. */
  readonly port: number;
  /** The certificate authority (PEM) that clients must trust. */
  readonly ca: string;
  /** A snapshot of the counts. */
  readonly stats: EmulatorStats;
  /**
   * Replaces the faults; `{}` clears them. They apply to everything from now on, including logins that are under way; the count
   * of a throttle starts again from zero.
   * @throws TypeError that names the fault, if it is not valid
   */
  setFaults(faults: Faults): void;
  /** Drops the sessions that have logged in, as throttling on RDS may. Returns how many. */
  dropConnections(): number;
  /** Ends it and all connections, leaving no socket and no timer. May be called again. */
  close(): Promise<void>;
}

const WRONG_NAME = 'wrong-name.invalid';
const EXPIRED = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2020-01-02T00:00:00Z') };

/**
 * Starts a stand-in for RDS's IAM login in front of a PostgreSQL, MySQL or MariaDB server. It terminates TLS with a certificate
 * of its own, checks that the password is a token that one of `accessKeys` signed for this server and this user, and only
 * then connects the client to the database.
 * @throws TypeError that names the option, if one is wrong; the error of `listen`, such as EADDRINUSE
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const checked = checkOptions(options);
  const authority = await createCertificateAuthority();
  const certificates = new Certificates(authority, checked.hostnames);
  await certificates.present(undefined);

  let { faults } = checked;
  let rate = rateOf(faults);
  const sockets = new Set<Socket>();
  const sessions = new Set<Socket>();
  const tokens = new AcceptedTokens();
  const counts = { connections: 0, accepted: 0, relayed: 0, cancelRequests: 0 };
  const refused = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<RefusalReason, number>;
  let open = 0;

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // what an error means here, the close that follows says, too
    socket.once('close', () => sockets.delete(socket));
  };
  const { onLogin } = checked;
  const tell = (login: LoginEvent) => {
    if (onLogin) process.nextTick(onLogin, login);
  };
  const shared: Shared = {
    options: checked,
    tokens,
    mockSecret: randomBytes(32),
    track,
    get tokenPort() {
      return checked.tokenPort ?? port;
    },
    get faults() {
      return faults;
    },
    get rate() {
      return rate;
    },
    certificate: async () => (faults.tls === 'off' ? undefined : certificates.present(faults.tls)),
    countLogin: (outcome, username, token) => {
      counts[outcome] += 1;
      tell({ atMs: checked.now(), username, ...(token && { token }), outcome });
    },
    countRefusal: (reason, username, token) => {
      refused[reason] += 1;
      tell({ atMs: checked.now(), username, ...(token && { token }), outcome: 'refused', reason });
    },
    countCancelRequest: () => {
      counts.cancelRequests += 1;
    },
    established: (client) => {
      sessions.add(client);
      client.once('close', () => sessions.delete(client));
    },
  };

  const EngineLogin = checked.engine === 'mysql' ? MysqlLogin : PostgresLogin;
  const startLogin: StartLogin = (connection, shared) => new EngineLogin(connection, shared);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    track(socket);
    counts.connections += 1;
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    void serve(socket, shared, startLogin);
  });
  server.listen(checked.port, checked.listenHostname);
  await once(server, 'listening');
  server.on('error', () => {}); // too many open files, say, is this connection's trouble and not the process's
  const { port } = server.address() as AddressInfo;

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      const ends = [...sockets].map((socket) => once(socket, 'close'));
      const end = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([end, ...ends]);
    })();
    return closing;
  };

  return {
    hostname: checked.hostnames[0],
    port,
    ca: authority.ca,
    get stats() {
      return { ...counts, open, refused: { ...refused }, distinctTokens: tokens.distinct };
    },
    setFaults(next) {
      checkFaults(next);
      faults = structuredClone(next);
      rate = rateOf(faults);
    },
    dropConnections() {
      const dropped = [...sessions];
      for (const session of dropped) session.destroy();
      return dropped.length;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function rateOf({ throttle }: Faults): RateWindow | undefined {
  return throttle && new RateWindow(throttle.connectionsPerSecond);
}

/** The certificates to present, each made when it is first asked for. */
class Certificates {
  readonly #authority: CertificateAuthority;
  readonly #hostnames: readonly string[];
  readonly #made = new Map<Faults['tls'], Promise<SecureContext>>();

  constructor(authority: CertificateAuthority, hostnames: readonly string[]) {
    this.#authority = authority;
    this.#hostnames = hostnames;
  }

  present(fault: Faults['tls']): Promise<SecureContext> {
    const made = this.#made.get(fault) ?? this.#make(fault);
    this.#made.set(fault, made);
    return made;
  }

  async #make(fault: Faults['tls']): Promise<SecureContext> {
    const authority = fault === 'other-ca' ? await createCertificateAuthority() : this.#authority;
    const { cert, key } = await authority.issue({
      hostnames: fault === 'wrong-name' ? [WRONG_NAME] : this.#hostnames,
      ...(fault === 'expired' ? EXPIRED : {}),
    });
    return createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  }
}

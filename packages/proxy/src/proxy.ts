import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { rdsIamOf } from '@rds-iam/core/adapter';
import { type Clock, systemClock } from './clock.js';
import type { Engine } from './engine.js';
import type { ProxyEvent } from './event.js';
import { type Http, startHttp } from './http/http.js';
import { type Listening, listen } from './listen.js';
import type { HttpAddress } from './live-page/server.js';
import { createMysql } from './mysql/mysql.js';
import { checkOptions, type ProxyOptions, type ProxyTarget } from './options.js';
import { makePassword } from './password.js';
import { createPostgres } from './postgres/postgres.js';
import { REFUSAL_REASONS, type RefusalReason } from './refusal.js';
import { type Shared, Visit } from './visit.js';

/** Where clients connect in place of the database. */
export type ProxyListener = ProxyTarget & { readonly listening: Listening };

/** What a proxy has counted since it started. */
export interface ProxyStats {
  /** Clients that are connected now, logged in or not. */
  readonly connected: number;
  /** How many of these have proved that they know the password: logged in, or about to be. */
  readonly admitted: number;
  /** Clients that were logged in. */
  readonly logins: number;
  /** Logins and changes of user that were refused, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
}

/** A running proxy. `await using` closes it. */
export interface RdsIamProxy extends AsyncDisposable {
  /** In the order of the targets. */
  readonly listeners: readonly ProxyListener[];
  /** Where its HTTP port is, if it has one. */
  readonly http: HttpAddress | undefined;
  /** The password for clients; `undefined` for none. */
  readonly password: string | undefined;
  /** A snapshot of the counts. */
  readonly stats: ProxyStats;
  /** Stops letting clients in; resolves once those that are in have left, or the signal is aborted. */
  drain(signal?: AbortSignal): Promise<void>;
  /** Ends it and all connections, leaving no socket and no timer. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts a proxy: clients of any kind connect to it with its own password, or none, and it logs in to the database for each of
 * them with a fresh token, over TLS to a verified server.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` that names the option, if one is wrong; the error of `listen`, such as EADDRINUSE
 */
export function startProxy(options: ProxyOptions): Promise<RdsIamProxy> {
  return startProxyWith(systemClock, options);
}

/** {@link startProxy} with the clock passed in, for this package's own tests. */
export async function startProxyWith(clock: Clock, options: ProxyOptions): Promise<RdsIamProxy> {
  const checked = checkOptions(options);
  const draining = new AbortController();
  const counts = { logins: 0 };
  const refused = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<RefusalReason, number>;
  const sockets = new Set<Socket>();
  let isStarted = false;
  let http: Http | undefined;
  const shared: Shared = {
    options: checked,
    clock,
    iam: rdsIamOf(checked.iam),
    password: checked.makesPassword ? makePassword() : checked.password || undefined,
    tls: checked.tls && createSecureContext({ ...checked.tls, minVersion: 'TLSv1.2' }),
    strangers: new Set(),
    guests: new Set(),
    draining: draining.signal,
    tokenUsed: (endpoint, username, token) => http?.tokenUsed(endpoint, username, token),
    tell(event: ProxyEvent) {
      if (event.type === 'login') counts.logins += 1;
      if (event.type === 'refusal') refused[event.reason] += 1;
      http?.take(event);
      if (checked.onEvent) process.nextTick(checked.onEvent, event);
    },
  };

  const servers: Server[] = [];
  const listeners: ProxyListener[] = [];
  const stopListening = () => servers.map((server) => new Promise((resolve) => server.close(resolve)));
  try {
    if (checked.http) {
      const at = { address: checked.http.address ?? '127.0.0.1', port: checked.http.port };
      http = await startHttp(clock, at, checked.knownLimit, () => ({
        connected: sockets.size,
        admitted: shared.guests.size,
        isStarted,
        isDraining: draining.signal.aborted,
        isFull: shared.guests.size >= checked.maxConnections,
      }));
    }
    for (const [ofAll, target] of checked.targets.entries()) {
      const engine = createEngine(target, shared);
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        sockets.add(socket);
        // The close that follows an error says all that matters here.
        socket.on('error', () => {}).once('close', () => sockets.delete(socket));
        void new Visit(socket, engine, target, shared).run();
      });
      servers.push(server);
      const ofEngine = listeners.filter((each) => each.engine === target.engine).length;
      listeners.push({ ...target, listening: await listen(server, checked.listenAt, target, { ofAll, ofEngine }) });
      // An error such as too many open files should fail one connection, not the process.
      server.on('error', () => {});
    }
    isStarted = true;
  } catch (error) {
    await Promise.all([...stopListening(), http?.close()]);
    throw error;
  }

  let [drained, closed]: (Promise<void> | undefined)[] = [];
  const drain = async (signal?: AbortSignal) => {
    draining.abort();
    for (const visit of [...shared.strangers, ...shared.guests]) visit.drain();
    drained ??= Promise.all(stopListening()).then(() => {});
    await (signal ? Promise.race([drained, signal.aborted || once(signal, 'abort')]) : drained);
  };
  const close = async () => {
    const ended = drain();
    for (const socket of sockets) socket.destroy();
    await ended;
    closed ??= http?.close();
    await closed;
  };
  return {
    listeners,
    http: http?.address,
    password: shared.password,
    get stats() {
      return { connected: sockets.size, admitted: shared.guests.size, ...counts, refused: { ...refused } };
    },
    drain,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createEngine(target: ProxyTarget, shared: Shared): Engine {
  if (target.engine === 'postgres') return createPostgres(shared.password, shared.options.passwordMethod);
  return createMysql();
}

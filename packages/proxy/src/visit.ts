import { connect, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Login, RdsIam } from '@rds-iam/core';
import { mysql, postgres } from '@rds-iam/core/adapter';
import { ConnectionEnded, isConnectionEnded } from '@rds-iam/wire';
import { Client } from './client.js';
import { type Clock, Countdown } from './clock.js';
import type { ClientLogin, Door, Engine, Session } from './engine.js';
import type { ProxyEvent } from './event.js';
import type { CheckedOptions, ProxyTarget } from './options.js';
import { Refusal, type RefusalReason, refusalFor } from './refusal.js';

const ENGINES = { postgres, mysql };

/** The state that all clients of a proxy share. */
export interface Shared {
  readonly options: CheckedOptions;
  readonly clock: Clock;
  readonly iam: RdsIam;
  readonly password: string | undefined;
  readonly tls: SecureContext | undefined;
  /** The clients that have not proved who they are, oldest first. */
  readonly strangers: Set<Visit>;
  /** The clients that have, logged in or about to be. */
  readonly guests: Set<Visit>;
  /** Aborted when nobody is let in any more. */
  readonly draining: AbortSignal;
  tell(event: ProxyEvent): void;
  /** Called when a login to the server begins. */
  tokenUsed(endpoint: string, username: string, token: string): void;
}

type Details<Type> = Type extends unknown
  ? Omit<Type, 'atMs' | 'hostname' | 'port' | 'client' | 'username' | 'database'>
  : never;

/** One client in either protocol, from its connection to its end. */
export class Visit {
  readonly #client: Client;
  readonly #login: ClientLogin;
  readonly #target: ProxyTarget;
  readonly #shared: Shared;
  readonly #address: string;
  readonly #startedAt: number;
  readonly #gone = new AbortController();
  readonly #countdown: Countdown;
  #said: { readonly username: string; readonly database: string | undefined } | undefined;
  /** Whether it is waiting for a login to the server. */
  #isWaiting = false;
  /** Whether its login has succeeded or failed. */
  #isSettled = false;

  constructor(raw: Socket, engine: Engine, target: ProxyTarget, shared: Shared) {
    this.#client = new Client(raw, () => {
      // If a client leaves while it waits for the server, the connection is no longer needed.
      if (this.#isWaiting) this.#gone.abort();
    });
    this.#target = target;
    this.#shared = shared;
    this.#address = raw.remoteAddress?.replace(/^::ffff:/, '') ?? 'local';
    this.#startedAt = shared.clock.monotonicNow();
    this.#countdown = new Countdown(shared.clock, shared.options.authenticationTimeoutMs, () =>
      this.turnAway('timeout', 'the client did not log in in time'),
    );
    this.#login = engine.startLogin(this.#client, this.#door());
    raw.once('close', () => {
      this.#gone.abort();
      this.#countdown.stop();
      shared.strangers.delete(this);
      shared.guests.delete(this);
    });
  }

  /** Never rejects: whatever a client does affects only its own connection. */
  async run(): Promise<void> {
    const { strangers, options } = this.#shared;
    if (strangers.size === options.maxUnauthenticated) {
      const [oldest] = strangers;
      oldest?.turnAway('crowded-out', 'more clients came than may be there without having logged in');
    }
    strangers.add(this);
    this.#countdown.start();
    try {
      const session = await this.#login.run();
      if (session && !this.#isSettled) this.#begin(session);
      else session?.server.destroy();
    } catch (error) {
      if (isConnectionEnded(error) || this.#gone.signal.aborted) this.#client.raw.destroy();
      else this.#refuse(refusalFor(error, this.#target));
    }
  }

  /** Refuses the client unless it is logged in. */
  drain(): void {
    this.#refuse(new Refusal('draining', 'rds-iam proxy: it is ending', { hint: 'Connect again.' }));
  }

  /** Ends the connection silently. */
  turnAway(reason: RefusalReason, message: string): void {
    if (!this.#isSettled) this.#tellRefusal(new Refusal(reason, message));
    this.#isSettled = true;
    this.#client.raw.destroy();
  }

  #door(): Door {
    const { password, tls, options, iam, draining } = this.#shared;
    const { hostname, port, engine } = this.#target;
    const { signal } = this.#gone;
    return {
      target: this.#target,
      password,
      tls,
      requiresTls: options.requiresTls,
      says: (username, database) => {
        this.#said = { username, database };
      },
      checkAsked: (username, database) => this.#checkAsked(username, database),
      connect: async (username, open, once = false) => {
        // A cancel request is carried out even if its client does not wait for the end.
        if (this.#client.hasLeft && !once) throw new ConnectionEnded();
        this.#isWaiting = !once;
        this.#countdown.stop();
        try {
          const begin = (login: Login) => {
            this.#shared.tokenUsed(`${hostname}:${port}`, username, login.token);
            return open(login);
          };
          const stopRetrying = once ? AbortSignal.abort() : draining;
          return await iam.connect({ hostname, port, username }, begin, {
            engine: ENGINES[engine],
            signal,
            stopRetrying,
          });
        } finally {
          this.#isWaiting = false;
          if (!signal.aborted) this.#countdown.start();
        }
      },
      dial: (login, address) =>
        connect({ host: address ?? login.hostname, port: login.port, noDelay: true, allowHalfOpen: true }),
      changeRefused: (refusal) => this.#tellRefusal(refusal),
      getToken: async (username) => (await iam.getToken({ hostname, port, username }, { signal })).token,
    };
  }

  #checkAsked(username: string, database: string | undefined): void {
    const { options, strangers, guests } = this.#shared;
    const target = this.#target;
    if (!options.anyUser) {
      const hint = 'Start the proxy for that one, or with --any-user.';
      if (username !== target.username) {
        throw new Refusal('user', `rds-iam proxy: this port is for the user "${target.username}"`, { hint });
      }
      if (target.database !== undefined && database !== undefined && database !== target.database) {
        throw new Refusal('database', `rds-iam proxy: this port is for the database "${target.database}"`, { hint });
      }
    }
    if (guests.has(this)) return;
    if (guests.size >= options.maxConnections) {
      const message = `rds-iam proxy: too many connections, it takes ${options.maxConnections}`;
      throw new Refusal('too-many-connections', message, { hint: 'Start it with a higher --max-connections.' });
    }
    strangers.delete(this);
    guests.add(this);
  }

  #refuse(refusal: Refusal): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#tellRefusal(refusal);
    // Ends the login that is under way for this client.
    this.#gone.abort();
    // A client that does not close its side in time is disconnected.
    this.#countdown.start();
    this.#login.refuse(refusal);
  }

  #begin({ server, username, database }: Session): void {
    this.#isSettled = true;
    this.#countdown.stop();
    this.#said = { username, database };
    const { clock } = this.#shared;
    const { raw } = this.#client;
    const beganAt = clock.monotonicNow();
    this.#tell({ type: 'login', durationMs: beganAt - this.#startedAt });
    const end = () => {
      server.destroy();
      const durationMs = clock.monotonicNow() - beganAt;
      this.#tell({ type: 'logout', durationMs, bytesIn: raw.bytesRead, bytesOut: raw.bytesWritten });
    };
    if (raw.destroyed) {
      end();
      return;
    }
    raw.once('close', end);
    // Once a session has ended at the server it is over, even if the client does not close its side.
    const startCountdown = () => {
      if (!raw.destroyed) this.#countdown.start();
    };
    server.once('end', startCountdown).once('close', startCountdown);
  }

  #tellRefusal(refusal: Refusal): void {
    const { reason, message, serverError } = refusal;
    this.#tell({ type: 'refusal', reason, message, code: serverError?.code });
  }

  #tell(details: Details<ProxyEvent>): void {
    const { hostname, port } = this.#target;
    this.#shared.tell({
      atMs: this.#shared.clock.now(),
      ...{ hostname, port, client: this.#address },
      ...{ username: this.#said?.username, database: this.#said?.database },
      ...details,
    } as ProxyEvent);
  }
}

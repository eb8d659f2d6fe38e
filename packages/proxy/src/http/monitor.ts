import type { Clock } from '../clock.js';
import type { ProxyEvent } from '../event.js';
import { duration, LastMinute, type LiveState, tokenAge } from '../live-page/state.js';

/** How many users and refusals are kept: with `anyUser`, clients can make up names. */
const MAX_USERS = 500;
const MAX_REFUSALS = 20;

interface User {
  readonly endpoint: string;
  readonly username: string;
  open: number;
  logins: number;
  tokenSignedAtMs: number | undefined;
}

type Refused = Extract<ProxyEvent, { type: 'refusal' }>;

/** The current state, for people who watch. */
export class Monitor {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #users = new Map<string, User>();
  readonly #minute: LastMinute;
  #refusals: Refused[] = [];
  #refused = 0;
  #logins = 0;
  #bytes = { in: 0, out: 0 };
  #limit: number | undefined;

  constructor(clock: Clock, limit: number | undefined) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#minute = new LastMinute(clock.now);
    this.#limit = limit;
  }

  /** The server has shown how much it admits. */
  limitFound(connectionsPerSecond: number): void {
    this.#limit = connectionsPerSecond;
  }

  tokenUsed(endpoint: string, username: string, signedAtMs: number | undefined): void {
    this.#user(endpoint, username).tokenSignedAtMs = signedAtMs;
  }

  take(event: ProxyEvent): void {
    const endpoint = `${event.hostname}:${event.port}`;
    if (event.type === 'refusal') {
      this.#minute.count('bad');
      this.#refused += 1;
      this.#refusals = [event, ...this.#refusals].slice(0, MAX_REFUSALS);
      return;
    }
    const user = this.#user(endpoint, event.username ?? '');
    if (event.type === 'login') {
      this.#minute.count('good');
      this.#logins += 1;
      user.logins += 1;
      user.open += 1;
    } else {
      user.open -= 1;
      this.#bytes = { in: this.#bytes.in + event.bytesIn, out: this.#bytes.out + event.bytesOut };
    }
  }

  state(now: { readonly status: string; readonly connected: number }): LiveState {
    const users = [...this.#users.values()];
    const open = users.reduce((sum, user) => sum + user.open, 0);
    return {
      title: 'rds-iam proxy',
      status: now.status,
      tiles: [
        { name: 'logged in now', value: String(open) },
        { name: 'connected now', value: String(now.connected) },
        { name: 'logins', value: String(this.#logins) },
        { name: 'refused', value: String(this.#refused) },
        { name: 'running for', value: duration(this.#clock.now() - this.#startedAt) },
      ],
      chart: { caption: 'Logins, second by second', seconds: this.#minute.seconds, limit: this.#limit },
      tables: [
        {
          caption: 'Connections by endpoint and user',
          columns: ['endpoint', 'user', 'open', 'logins', 'token'],
          rows: users.map(({ endpoint, username, open: ofUser, logins, tokenSignedAtMs }) => [
            ...[endpoint, username, String(ofUser), String(logins)],
            tokenSignedAtMs === undefined ? 'none yet' : tokenAge(this.#clock.now() - tokenSignedAtMs),
          ]),
          none: 'nobody has logged in yet',
        },
        {
          caption: 'Refusals, the latest first',
          columns: ['when', 'from', 'user', 'why'],
          rows: this.#refusals.map(({ atMs, client, username, reason, code, message }) => [
            `${duration(this.#clock.now() - atMs)} ago`,
            client,
            username ?? 'not said',
            `${code ?? reason}: ${message}`,
          ]),
          none: 'none',
        },
      ],
    };
  }

  #user(endpoint: string, username: string): User {
    const key = `${endpoint}\n${username}`;
    const known = this.#users.get(key);
    if (known) return known;
    if (this.#users.size >= MAX_USERS) {
      const idle = [...this.#users].find(([, { open }]) => open === 0);
      if (idle) this.#users.delete(idle[0]);
    }
    const user: User = { endpoint, username, open: 0, logins: 0, tokenSignedAtMs: undefined };
    this.#users.set(key, user);
    return user;
  }
}

/** When a token says that it was signed. */
export function signedAtMs(token: string): number | undefined {
  const [, year, month, day, hour, minute, second] =
    /X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(token) ?? [];
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

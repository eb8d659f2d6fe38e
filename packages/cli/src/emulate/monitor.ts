import type { EmulatorStats, LoginEvent, RefusalReason } from '@rds-iam/emulator';
import { duration, LastMinute, type LiveState, tokenAge } from '@rds-iam/proxy/live-page';

/** Limits, because clients can make up names and tokens. */
const MAX_TOKENS = 50;
const MAX_LOGINS = 50;

interface UsedToken {
  readonly fingerprint: string;
  readonly username: string;
  readonly signedAtMs: number;
  accepted: number;
  refused: number;
}

/** Why a login was refused, for the user of the emulator: clients are not told. */
const WHY: Readonly<Record<RefusalReason, string>> = {
  malformed: 'the password was not a token',
  'unknown-access-key': 'no such access key, or it is revoked',
  'session-token': 'the session token is not that of the access key',
  'wrong-region': 'signed for another region',
  'wrong-host': 'signed for another host name',
  'wrong-port': 'signed for another port',
  'wrong-user': 'signed for another user',
  'bad-signature': 'not signed with the secret of the access key',
  expired: 'more than 15 minutes old',
  'not-yet-valid': 'signed in the future: a clock is wrong',
  'not-authorized': 'the policy of the access key does not allow this user',
  throttled: 'too many logins a second',
  plaintext: 'came without TLS',
  'static-password': 'no password was given, or the database wants none',
  protocol: 'not the protocol of this database',
  timeout: 'did not log in in time',
  upstream: 'the token was good, but the database behind refused, or is out of reach',
};

/** What an emulator has seen, for people who watch. */
export class LoginMonitor {
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #minute: LastMinute;
  /** In the order of their last use, latest last. */
  readonly #tokens = new Map<string, UsedToken>();
  #logins: LoginEvent[] = [];

  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
    this.#minute = new LastMinute(now);
  }

  take(login: LoginEvent): void {
    const isRefused = login.outcome === 'refused';
    this.#minute.count(isRefused ? 'bad' : 'good');
    this.#logins = [login, ...this.#logins].slice(0, MAX_LOGINS);
    if (!login.token) return;
    const used = this.#use(login.token.fingerprint, login.username ?? '', login.atMs - login.token.ageMs);
    if (isRefused) used.refused += 1;
    else used.accepted += 1;
  }

  state({ open, accepted, refused, distinctTokens }: EmulatorStats): LiveState {
    const tokens = [...this.#tokens.values()].reverse();
    return {
      title: 'rds-iam emulator',
      status: 'ready',
      tiles: [
        { name: 'open now', value: String(open) },
        { name: 'let in', value: String(accepted) },
        { name: 'refused', value: String(Object.values(refused).reduce((sum, count) => sum + count, 0)) },
        { name: 'different tokens', value: String(distinctTokens) },
        { name: 'running for', value: duration(this.#now() - this.#startedAt) },
      ],
      chart: { caption: 'Logins, second by second', seconds: this.#minute.seconds, limit: undefined },
      tables: [
        {
          caption: 'Tokens by fingerprint, most recently used first',
          columns: ['token', 'user', 'age', 'let in', 'refused'],
          rows: tokens.map(({ fingerprint, username, signedAtMs, accepted: letIn, refused: turnedAway }) => [
            ...[fingerprint, username, tokenAge(this.#now() - signedAtMs), String(letIn), String(turnedAway)],
          ]),
          none: 'no token yet',
        },
        {
          caption: 'Logins, latest first',
          columns: ['when', 'user', 'token', 'its age then', 'outcome'],
          rows: this.#logins.map((login) => [
            `${duration(this.#now() - login.atMs)} ago`,
            login.username ?? 'not said',
            login.token?.fingerprint ?? 'none',
            login.token ? ageThen(login.token.ageMs) : '',
            outcomeOf(login),
          ]),
          none: 'no login yet',
        },
      ],
    };
  }

  #use(fingerprint: string, username: string, signedAtMs: number): UsedToken {
    const key = `${fingerprint}\n${username}`;
    const used = this.#tokens.get(key) ?? { fingerprint, username, signedAtMs, accepted: 0, refused: 0 };
    this.#tokens.delete(key);
    this.#tokens.set(key, used);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest);
    return used;
  }
}

/** The signer's clock can be ahead. */
const ageThen = (ageMs: number) => (ageMs < 0 ? `signed ${duration(-ageMs)} ahead` : duration(ageMs));

function outcomeOf(login: LoginEvent): string {
  if (login.outcome === 'refused') return `${login.reason}: ${WHY[login.reason]}`;
  return login.outcome === 'accepted' ? 'let in' : "left to the database's own password";
}

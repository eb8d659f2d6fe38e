// The faults that an emulator can be told to have.
import { fail, integer, names, object, oneOf, unknownNames } from './checks.js';

/** A limit on logins with good tokens; refused tokens do not count. */
export interface ThrottleFault {
  /** How many logins pass in any one second of the emulator's clock, 0 to 1_000_000; the action applies to the rest. */
  readonly connectionsPerSecond: number;
  /** `deny` refuses in the same way as a bad token, `delay` goes on after `delayMs`, `reset` resets the connection (RST). */
  readonly action: 'deny' | 'delay' | 'reset';
  /**
   * `new-tokens` counts only tokens that were not accepted before, as RDS is said to; `logins` counts every login.
   * @defaultValue `'new-tokens'`
   */
  readonly counting?: 'logins' | 'new-tokens';
  /**
   * Whose words `deny` uses: those of RDS, which do not distinguish throttling from a bad token, or those of RDS Proxy, which do.
   * @defaultValue `'rds'`
   */
  readonly wording?: 'rds' | 'rds-proxy';
  /**
   * How long `delay` takes, in real milliseconds, 0 to 600_000.
   * @defaultValue 1_000
   */
  readonly delayMs?: number;
}

/** The faults to have. All are optional. */
export interface Faults {
  readonly throttle?: ThrottleFault;
  /**
   * How far the server's clock is ahead of `now()`, in milliseconds; behind if negative.
   * @defaultValue 0
   */
  readonly clockOffsetMs?: number;
  /**
   * `off` answers N to PostgreSQL's SSLRequest and does not offer TLS to MySQL clients; the others present a certificate for
   * another name, from another CA, or an expired one. Applies to new connections.
   */
  readonly tls?: 'off' | 'wrong-name' | 'other-ca' | 'expired';
  /**
   * Where to stop answering, until the client or `authenticationTimeoutMs` closes the connection: at once (MySQL: before the
   * greeting), after the startup message (MySQL: the client's handshake response), or after the token.
   */
  readonly hang?: 'before-tls' | 'before-authentication' | 'after-password';
  /** Ids of access keys whose tokens are refused from now on, as after a rotation. */
  readonly revokedAccessKeys?: readonly string[];
}

/** Checks faults. @throws TypeError that names the fault */
export function checkFaults(faults: Faults): void {
  unknownNames('faults', object('faults', faults), ['throttle', 'clockOffsetMs', 'tls', 'hang', 'revokedAccessKeys']);
  const { throttle, clockOffsetMs, tls, hang, revokedAccessKeys } = faults;
  if (clockOffsetMs !== undefined && !Number.isFinite(clockOffsetMs)) {
    fail('faults.clockOffsetMs', 'a number of milliseconds', clockOffsetMs);
  }
  oneOf('faults.tls', tls, ['off', 'wrong-name', 'other-ca', 'expired']);
  oneOf('faults.hang', hang, ['before-tls', 'before-authentication', 'after-password']);
  if (revokedAccessKeys !== undefined) names('faults.revokedAccessKeys', revokedAccessKeys);
  if (throttle === undefined) return;
  unknownNames('faults.throttle', object('faults.throttle', throttle), [
    'connectionsPerSecond',
    'action',
    'counting',
    'wording',
    'delayMs',
  ]);
  integer('faults.throttle.connectionsPerSecond', throttle.connectionsPerSecond, 0, 1_000_000);
  if (throttle.action === undefined) fail('faults.throttle.action', '"deny", "delay" or "reset"', undefined);
  oneOf('faults.throttle.action', throttle.action, ['deny', 'delay', 'reset']);
  oneOf('faults.throttle.counting', throttle.counting, ['logins', 'new-tokens']);
  oneOf('faults.throttle.wording', throttle.wording, ['rds', 'rds-proxy']);
  if (throttle.delayMs !== undefined) integer('faults.throttle.delayMs', throttle.delayMs, 0, 600_000);
}

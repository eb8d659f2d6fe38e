// What happens to a token in either protocol: it is checked, counted, and let in or not.
import type { Socket } from 'node:net';
import { Refusal, type RefusalReason } from './refusal.js';
import type { Shared } from './serve.js';
import { delay } from './sockets.js';
import { checkToken, tokenExpirationMs } from './token.js';

/** How an engine words a refusal. */
export interface RefusalWords {
  /** RDS's only answer to a token that it does not accept. */
  tokenRefused(reason: RefusalReason): Refusal;
  /** RDS Proxy's answer when it throttles. */
  proxyThrottled(): Refusal;
}

/**
 * Checks a token and the limit on logins. The promise resolves when the login may go on; only a throttle delays it.
 * @throws Refusal, at once
 */
export function admit(
  token: string,
  username: string,
  raw: Socket,
  shared: Shared,
  words: RefusalWords,
): Promise<void> {
  const { options, tokens, tokenPort: port, faults, rate } = shared;
  const nowMs = options.now() + (faults.clockOffsetMs ?? 0);
  const { hostnames, region } = options;
  const accessKeys = new Map(options.accessKeys);
  for (const accessKeyId of faults.revokedAccessKeys ?? []) accessKeys.delete(accessKeyId);
  const reason = checkToken(token, { username, hostnames, port, region, accessKeys, nowMs });
  if (reason) throw words.tokenRefused(reason);

  const accept = () => tokens.add(token, tokenExpirationMs(token), nowMs);
  const { throttle } = faults;
  const counts = throttle?.counting === 'logins' || !tokens.has(token);
  if (throttle && counts && rate?.admit(nowMs) === false) {
    if (throttle.action === 'deny') {
      throw throttle.wording === 'rds-proxy' ? words.proxyThrottled() : words.tokenRefused('throttled');
    }
    if (throttle.action === 'reset') {
      raw.resetAndDestroy();
      throw new Refusal('throttled');
    }
    return delay(throttle.delayMs ?? 1000, raw).then(accept);
  }
  accept();
  return Promise.resolve();
}

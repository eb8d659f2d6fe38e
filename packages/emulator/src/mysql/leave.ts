// How the emulator leaves an upstream that it has not logged in to.
import { randomBytes } from 'node:crypto';
import { Capability, type HandshakeResponse } from '@rds-iam/wire/mysql';
import { authenticate, firstAnswer } from './authentication.js';
import type { Upstream } from './upstream.js';

/** How long MySQL itself waits for the next packet of a login. */
const PATIENCE_MS = 10_000;

const NOBODY: Omit<HandshakeResponse, 'plugin' | 'authentication'> = {
  capabilities: (Capability.mysql | Capability.protocol41 | Capability.secureConnection | Capability.pluginAuth) >>> 0,
  mariadbCapabilities: 0,
  maxPacketBytes: 1 << 24,
  characterSet: 45, // utf8mb4
  username: '',
  database: undefined,
  attributes: undefined,
  zstdLevel: undefined,
};

/**
 * Leaves. MySQL counts unfinished handshakes, and after `max_connect_errors` of them in a row accepts no more connections from
 * our host (error 1129); a login that it refuses does not count. So if a client was refused before we had to answer the
 * upstream's greeting, this attempts a login without a user name and with a random password.
 */
export function leave(upstream: Upstream): void {
  const greeting = upstream.unanswered;
  if (!greeting) {
    upstream.destroy();
    return;
  }
  const password = randomBytes(16).toString('hex');
  const first = firstAnswer(greeting, password);
  upstream.end.stream.setTimeout(PATIENCE_MS, () => upstream.destroy());
  upstream
    .respond({ ...NOBODY, ...first }, greeting)
    .then(() => authenticate(upstream, { ...greeting, plugin: first.plugin }, password))
    .catch(() => {}) // the upstream should refuse it
    .finally(() => upstream.destroy());
}

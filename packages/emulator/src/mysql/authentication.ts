// How the emulator proves to the upstream that it may log in as a user.
import { Cursor } from './cursor.js';
import { CACHING_SHA2_PASSWORD, CLEAR_PASSWORD, NATIVE_PASSWORD, nulTerminated, Reply, Sha2 } from './protocol.js';
import { upstreamLoginFailed, upstreamRefused } from './refusals.js';
import { cachingSha2Password, encryptPassword, nativePassword } from './scrambles.js';
import { notMysql, type Upstream } from './upstream.js';

/** How to prove to the upstream that we may log in. */
export interface Proof {
  readonly plugin: string;
  readonly scramble: Buffer;
}

/** What a login begins with; a plugin that is not the account's makes the upstream name that one. */
export function firstAnswer({ plugin, scramble }: Proof, password: string): { plugin: string; authentication: Buffer } {
  if (plugin === CACHING_SHA2_PASSWORD) return { plugin, authentication: cachingSha2Password(password, scramble) };
  return { plugin: NATIVE_PASSWORD, authentication: nativePassword(password, scramble) };
}

/**
 * Answers what the upstream asks until it lets the user in or does not. Resolves to its OK.
 * @throws Refusal with the reason `upstream`
 */
export async function authenticate(upstream: Upstream, first: Proof, password: string): Promise<Buffer> {
  let { plugin, scramble } = first;
  for (;;) {
    const payload = await upstream.read();
    switch (payload[0]) {
      case Reply.ok:
        return payload;
      case Reply.error:
        throw upstreamRefused(payload);
      case Reply.switch:
        ({ plugin, scramble } = parseAuthSwitch(payload));
        upstream.write(answer(plugin, scramble, password));
        break;
      case Reply.moreData:
        if (plugin !== CACHING_SHA2_PASSWORD) throw notSupported(plugin);
        if (payload[1] === Sha2.fastAuthOk) break;
        if (payload[1] !== Sha2.fullAuth) throw badSha2();
        if (upstream.encrypted) upstream.write(nulTerminated(password));
        else await sendEncrypted(upstream, scramble, nulTerminated(password));
        break;
      default:
        throw notMysql();
    }
  }
}

/** Encrypts a password, which ends with a zero, with the upstream's public key. @throws Refusal */
export async function sendEncrypted(upstream: Upstream, scramble: Buffer, password: Buffer): Promise<void> {
  upstream.write(Buffer.from([Sha2.requestPublicKey]));
  const payload = await upstream.read();
  if (payload[0] === Reply.error) throw upstreamRefused(payload);
  let encrypted: Buffer;
  try {
    encrypted = encryptPassword(password, scramble, payload.subarray(1));
  } catch {
    throw badSha2();
  }
  upstream.write(encrypted);
}

/** @throws Refusal */
export function parseAuthSwitch(payload: Buffer): Proof {
  const cursor = new Cursor(payload);
  cursor.uint8();
  // Alone it means the hash of MySQL 3.23.
  const plugin = cursor.left > 0 ? cursor.untilZero().toString('latin1') : 'mysql_old_password';
  return { plugin, scramble: cursor.rest().subarray(0, 20) };
}

function answer(plugin: string, scramble: Buffer, password: string): Buffer {
  switch (plugin) {
    case NATIVE_PASSWORD:
      return nativePassword(password, scramble);
    case CACHING_SHA2_PASSWORD:
      return cachingSha2Password(password, scramble);
    case CLEAR_PASSWORD:
      return nulTerminated(password);
    default:
      throw notSupported(plugin);
  }
}

const notSupported = (plugin: string) =>
  upstreamLoginFailed(`the upstream asks for a kind of authentication (${plugin}) that is not supported`);
const badSha2 = () => upstreamLoginFailed('the upstream does not speak caching_sha2_password');

// How the emulator proves to the upstream that it may log in as a user.
import { isProtocolError } from '@rds-iam/wire';
import {
  cachingSha2Password,
  decodeAuthSwitch,
  encryptPassword,
  nativePassword,
  nulTerminated,
  Plugin,
  Reply,
  SCRAMBLE_BYTES,
  Sha2,
} from '@rds-iam/wire/mysql';
import { upstreamLoginFailed, upstreamRefused } from './refusals.js';
import { notMysql, type Upstream } from './upstream.js';

/** How to prove to the upstream that we may log in. */
export interface Proof {
  readonly plugin: string;
  readonly scramble: Buffer;
}

/** The first answer of a login; if its plugin is not the account's, the upstream names the right one. */
export function firstAnswer({ plugin, scramble }: Proof, password: string): { plugin: string; authentication: Buffer } {
  if (plugin === Plugin.cachingSha2Password) return { plugin, authentication: cachingSha2Password(password, scramble) };
  return { plugin: Plugin.nativePassword, authentication: nativePassword(password, scramble) };
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
      case Reply.authSwitch:
        ({ plugin, scramble } = proofOf(payload));
        upstream.write(answer(plugin, scramble, password));
        break;
      case Reply.moreData:
        if (plugin !== Plugin.cachingSha2Password) throw notSupported(plugin);
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

/** The next method that the upstream asks for. @throws Refusal with the reason `upstream` */
export function proofOf(payload: Buffer): Proof {
  try {
    const asked = decodeAuthSwitch(payload);
    if (asked) return { plugin: asked.plugin, scramble: asked.data.subarray(0, SCRAMBLE_BYTES) };
  } catch (error) {
    if (!isProtocolError(error)) throw error;
  }
  throw notMysql();
}

function answer(plugin: string, scramble: Buffer, password: string): Buffer {
  switch (plugin) {
    case Plugin.nativePassword:
      return nativePassword(password, scramble);
    case Plugin.cachingSha2Password:
      return cachingSha2Password(password, scramble);
    case Plugin.clearPassword:
      return nulTerminated(password);
    default:
      throw notSupported(plugin);
  }
}

const notSupported = (plugin: string) =>
  upstreamLoginFailed(`the upstream asks for a kind of authentication (${plugin}) that is not supported`);
const badSha2 = () => upstreamLoginFailed('the upstream does not speak caching_sha2_password');

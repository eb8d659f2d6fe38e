import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Capability,
  type Channel,
  cachingSha2Password,
  encodeAuthSwitch,
  encodeMoreData,
  nativePassword,
  nulTerminated,
  Plugin,
  Sha2,
} from '@rds-iam/wire/mysql';
import { Refusal } from '../refusal.js';
import { makeScramble } from './greeting.js';

/** More than any answer to a scramble needs. */
const MAX_ANSWER_BYTES = 65_536;

/** By plugin name. A map, because the client chooses the name and an object also has `toString`. */
const PROOFS: ReadonlyMap<string, (password: string, scramble: Buffer) => Buffer> = new Map([
  [Plugin.cachingSha2Password, cachingSha2Password],
  [Plugin.nativePassword, nativePassword],
]);

/** A client's answer to a scramble. */
export interface Answer {
  readonly username: string;
  readonly capabilities: number;
  readonly plugin: string;
  readonly authentication: Buffer;
}

/** The scramble that it answered. */
export interface Question {
  readonly plugin: string;
  readonly scramble: Buffer;
}

/**
 * Makes a client prove that it knows the port's password, with the plugin that it names if that is one of these two; every client
 * has at least one of them. If the password is `undefined`, any answer is right. @throws Refusal, ProtocolError, ConnectionEnded
 */
export async function authenticate(
  channel: Channel,
  asked: Question,
  answer: Answer,
  password: string | undefined,
): Promise<void> {
  // A client from before plugins only knows the native method.
  const hasPlugins = (answer.capabilities & Capability.pluginAuth) !== 0;
  let plugin = hasPlugins ? answer.plugin : Plugin.nativePassword;
  let { authentication } = answer;
  let { scramble } = asked;
  if (password !== undefined && hasPlugins && plugin !== asked.plugin) {
    // Its answer was for another scramble, or for none.
    plugin = PROOFS.has(plugin) ? plugin : asked.plugin;
    scramble = makeScramble();
    channel.write(encodeAuthSwitch({ plugin, data: nulTerminated(scramble) }));
    authentication = await channel.read(MAX_ANSWER_BYTES);
  }
  if (password !== undefined) {
    const expected = PROOFS.get(plugin)?.(password, scramble);
    if (!expected || !isSame(authentication, expected)) throw wrongPassword(answer.username, authentication);
  }
  // A client with an empty password expects nothing more.
  if (plugin === Plugin.cachingSha2Password && authentication.some((byte) => byte !== 0)) {
    channel.write(encodeMoreData(Buffer.from([Sha2.fastAuthOk])));
  }
}

/** Compares in constant time, whatever was given and however long it is. */
function isSame(given: Buffer, expected: Buffer): boolean {
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

const wrongPassword = (username: string, given: Buffer) =>
  new Refusal(
    'password',
    `Access denied for user '${username}' (using password: ${given.some((byte) => byte !== 0) ? 'YES' : 'NO'})`,
    { hint: 'The proxy printed its password when it started. It is not a password of the database.' },
  );

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

/** More than any answer to a scramble has. */
const MAX_ANSWER_BYTES = 65_536;

/** By the name of the plugin, which the client gives: an object would know `toString`, too. */
const PROOFS: ReadonlyMap<string, (password: string, scramble: Buffer) => Buffer> = new Map([
  [Plugin.cachingSha2Password, cachingSha2Password],
  [Plugin.nativePassword, nativePassword],
]);

/** What a client has answered to a scramble. */
export interface Answer {
  readonly username: string;
  readonly capabilities: number;
  readonly plugin: string;
  readonly authentication: Buffer;
}

/** What it was asked. */
export interface Question {
  readonly plugin: string;
  readonly scramble: Buffer;
}

/**
 * Has a client prove that it knows the password of the port, by the plugin that it names if it is one of the two that every
 * client has one of. With `undefined` whatever it answers is right. @throws Refusal, ProtocolError, ConnectionEnded
 */
export async function authenticate(
  channel: Channel,
  asked: Question,
  answer: Answer,
  password: string | undefined,
): Promise<void> {
  // One from before plugins knows the native scheme alone.
  const hasPlugins = (answer.capabilities & Capability.pluginAuth) !== 0;
  let plugin = hasPlugins ? answer.plugin : Plugin.nativePassword;
  let { authentication } = answer;
  let { scramble } = asked;
  if (password !== undefined && hasPlugins && plugin !== asked.plugin) {
    // What it has answered is for another scramble, or for none.
    plugin = PROOFS.has(plugin) ? plugin : asked.plugin;
    scramble = makeScramble();
    channel.write(encodeAuthSwitch({ plugin, data: nulTerminated(scramble) }));
    authentication = await channel.read(MAX_ANSWER_BYTES);
  }
  if (password !== undefined) {
    const expected = PROOFS.get(plugin)?.(password, scramble);
    if (!expected || !isSame(authentication, expected)) throw wrongPassword(answer.username, authentication);
  }
  // One with an empty password awaits nothing more.
  if (plugin === Plugin.cachingSha2Password && authentication.some((byte) => byte !== 0)) {
    channel.write(encodeMoreData(Buffer.from([Sha2.fastAuthOk])));
  }
}

/** Takes the same time whatever was given, its length too. */
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

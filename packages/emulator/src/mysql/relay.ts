// The login of a user without IAM: the upstream and the client settle it between them.
import { type Channel, Plugin, Reply, Sha2 } from '@rds-iam/wire/mysql';
import { type Proof, proofOf, sendEncrypted } from './authentication.js';
import { MAX_LOGIN_PACKET_BYTES } from './opening.js';
import type { Upstream } from './upstream.js';

export interface Settled {
  /** The upstream's OK, or its error. */
  readonly payload: Buffer;
  /** Whether the client has answered with anything but an empty password. */
  readonly passwordGiven: boolean;
}

/** The client's answer so far. */
export interface FirstAnswer extends Proof {
  readonly authentication: Buffer;
}

/** Passes on the packets of a login after the client's first answer. @throws Refusal, ProtocolError, ConnectionEnded */
export async function relay(
  upstream: Upstream,
  client: Channel,
  clientEncrypted: boolean,
  first: FirstAnswer,
): Promise<Settled> {
  let { plugin, scramble } = first;
  let passwordGiven = !isEmpty(first.authentication);
  for (;;) {
    const payload = await upstream.read();
    if (payload[0] === Reply.ok || payload[0] === Reply.error) return { payload, passwordGiven };
    client.write(payload);
    const says = payload[0] === Reply.moreData && plugin === Plugin.cachingSha2Password ? payload[1] : undefined;
    if (says === Sha2.fastAuthOk) continue;
    if (payload[0] === Reply.authSwitch) ({ plugin, scramble } = proofOf(payload));
    const answer = await client.read(MAX_LOGIN_PACKET_BYTES);
    passwordGiven ||= !isEmpty(answer);
    // Over TLS a client sends the password itself, but an upstream without TLS needs it encrypted.
    if (says === Sha2.fullAuth && clientEncrypted && !upstream.encrypted) {
      await sendEncrypted(upstream, scramble, answer);
    } else {
      upstream.write(answer);
    }
  }
}

const isEmpty = (answer: Buffer): boolean => answer.every((byte) => byte === 0);

// What the doctor knows about a login: the question, and what each step has added to it.
import type { DialedAddress } from '../dial.js';
import type { Engine, LoginTarget } from '../settings.js';
import type { Asked } from './aws-calls.js';
import { type CredentialsSeen, findCredentials, type Identity, regionOfSettings } from './credentials.js';
import type { DatabaseSeen } from './database.js';
import type { TlsSeen } from './handshake.js';
import type { LogEntry } from './log.js';
import { lookUpName, type NameSeen, regionOf } from './name.js';
import type { Decision } from './policy.js';
import type { TcpSeen } from './tcp.js';
import type { LoginSeen } from './try-login.js';

export interface Question extends LoginTarget {
  readonly engine: Engine;
  readonly database: string | undefined;
  readonly profile: string | undefined;
  /** The value of `--region`. */
  readonly regionFlag: string | undefined;
  /** The address in `--dial`. */
  readonly dial: DialedAddress | undefined;
  /** The file in `--ca`. */
  readonly caFile: string | undefined;
  /** The CA certificates that the server is verified with: from that file, or the RDS roots. */
  readonly ca: readonly string[];
  /** For each request to the network or to AWS. */
  readonly timeoutMs: number;
  /** For requests that make further requests: a login, for which the host asks AWS, and most sources of credentials. */
  readonly longerMs: number;
}

/** In the order of dependency. A fact is undefined if earlier ones show that there was nothing to look at. */
export interface Facts extends Question {
  readonly name: NameSeen;
  /** The region that the token is for; undefined if it is not known, or the sources contradict each other. */
  readonly region: string | undefined;
  readonly credentials: CredentialsSeen;
  readonly identity: Asked<Identity>;
  /** AWS's clock minus ours, in milliseconds; undefined if AWS did not say. */
  readonly skewMs: number | undefined;
  readonly tcp: TcpSeen | undefined;
  readonly tls: TlsSeen | undefined;
  readonly described: DatabaseSeen;
  readonly decision: Asked<Decision>;
  readonly login: LoginSeen | undefined;
  readonly log: Asked<readonly LogEntry[]>;
}

const NOT_YET = { error: { message: 'it has not been asked yet' } };

/** Gathers what everything else depends on. Never rejects. */
export async function firstFacts(question: Question): Promise<Facts> {
  const name = await lookUpName(question);
  const region = regionOf(name.followed, question.regionFlag, await regionOfSettings(question.profile));
  return {
    ...{ ...question, name, region },
    credentials: await findCredentials(question, region),
    ...{ identity: NOT_YET, skewMs: undefined, tcp: undefined, tls: undefined, described: NOT_YET },
    ...{ decision: NOT_YET, login: undefined, log: NOT_YET },
  };
}

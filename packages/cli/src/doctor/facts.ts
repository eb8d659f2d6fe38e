// What the doctor knows of a login: what it was asked, and what one look after another has added to that.
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
  /** Of `--region`. */
  readonly regionFlag: string | undefined;
  /** Where `--dial` leads. */
  readonly dial: DialedAddress | undefined;
  /** The file of `--ca`. */
  readonly caFile: string | undefined;
  /** What the server is verified with: of that file, or the roots of RDS. */
  readonly ca: readonly string[];
  /** For each question to the network or to AWS. */
  readonly timeoutMs: number;
  /** For what others are asked behind: a login, for which the host asks AWS, and most sources of credentials. */
  readonly longerMs: number;
}

/** In the order of dependency. Undefined is what there was nothing to look at for, as the facts before tell. */
export interface Facts extends Question {
  readonly name: NameSeen;
  /** That the token is for; undefined where nothing tells it, or the one thing contradicts the other. */
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

const NOT_YET = { error: { message: 'it is not asked yet' } };

/** Looks at what all the rest stands on. Never rejects. */
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

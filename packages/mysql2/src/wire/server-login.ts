// The login to a MySQL or MariaDB server without a driver, for code that takes a driver's place.
import type { TLSSocket } from 'node:tls';
import { assertVerifiedPeer, dialedLogin, type Login, LoginFailure, type MakeSocket } from '@rds-iam/core/adapter';
import { ByteReader, isConnectionEnded, isProtocolError } from '@rds-iam/wire';
import {
  Capability,
  Channel,
  decodeAuthSwitch,
  decodeError,
  decodeGreeting,
  type Greeting,
  nulTerminated,
  Plugin,
  Reply,
  SSL_REQUEST_BYTES,
} from '@rds-iam/wire/mysql';

/** What a login needs from the driver that it is for. */
export interface Driver {
  readonly dial: MakeSocket;
  /**
   * The payload of its response to a greeting that offers no TLS and names the plugin `mysql_native_password`. It contains no
   * password.
   */
  answerTo(greeting: Greeting): Buffer | Promise<Buffer>;
  /** The error that it makes of a refusal: the payload of an ERR packet, sent first or after its answer to a greeting. */
  errorOf(refusal: Buffer, greeting: Greeting | undefined): unknown;
}

/** A connection that has logged in. */
export interface LoggedIn {
  readonly socket: TLSSocket;
  /** The session that the socket was told to resume. */
  readonly resumed: Buffer | undefined;
  /** The server's greeting, as the driver was shown it. */
  readonly greeting: Greeting;
  /** The payload of the OK packet that ended the login. */
  readonly ok: Buffer;
}

/** Far more than any greeting or refusal needs, and far less than a hostile server could send. */
const MAX_BYTES = 65_536;
const NO_PASSWORD_GIVEN = [1045, 1698];

/** Dials, upgrades to TLS and logs in with a token: one attempt. */
export function logIn(login: Login, driver: Driver): Promise<LoggedIn> {
  return dialedLogin(
    login,
    (to) => driver.dial(to),
    async (raw, startTls) => {
      try {
        const inClear = new ByteReader(raw);
        const channel = new Channel({ stream: raw, reader: inClear });
        const greeting = await readGreeting(channel, driver);
        const answer = await driver.answerTo(greeting);
        const response = Buffer.from(answer);
        response.writeUInt32LE((response.readUInt32LE() | Capability.ssl) >>> 0);
        channel.write(response.subarray(0, SSL_REQUEST_BYTES));
        leave(inClear);
        const { socket, resumed } = await startTls();
        const reader = new ByteReader(socket);
        const secure = new Channel({ stream: socket, reader }, 2);
        secure.write(response);
        const ok = await authenticate(secure, driver, greeting, () => {
          assertVerifiedPeer(socket, login.identity, resumed);
          secure.write(nulTerminated(login.token));
          login.session.keep(socket);
        });
        leave(reader);
        return { socket, resumed, greeting, ok };
      } catch (error) {
        throw failureOf(error);
      }
    },
  );
}

async function readGreeting(channel: Channel, driver: Driver): Promise<Greeting> {
  const payload = await channel.read(MAX_BYTES);
  if (payload[0] === Reply.error) throw await driver.errorOf(payload, undefined);
  const greeting = decodeGreeting(payload);
  if (!(greeting.capabilities & Capability.ssl)) throw new LoginFailure('tls-not-offered');
  return { ...greeting, capabilities: (greeting.capabilities & ~Capability.ssl) >>> 0, plugin: Plugin.nativePassword };
}

/** Sends the token when the server asks for it, and nothing else. @returns the payload of the server's OK */
async function authenticate(
  channel: Channel,
  driver: Driver,
  greeting: Greeting,
  sendToken: () => void,
): Promise<Buffer> {
  let tokenSent = false;
  for (;;) {
    const payload = await channel.read(MAX_BYTES);
    const asked = decodeAuthSwitch(payload);
    if (asked?.plugin === Plugin.clearPassword && !tokenSent) {
      sendToken();
      tokenSent = true;
    } else if (payload[0] === Reply.ok) {
      if (!tokenSent) throw notAnIamUser('the server let this user in without asking for anything');
      return payload;
    } else if (payload[0] === Reply.error) {
      const error = await driver.errorOf(payload, greeting);
      if (!tokenSent && NO_PASSWORD_GIVEN.includes(decodeError(payload).code)) {
        throw notAnIamUser('the server refuses this user without asking for a token', error);
      }
      throw error;
    } else if (tokenSent) {
      throw new LoginFailure('protocol-violated', 'the server wants more than the token');
    } else {
      throw notAnIamUser(
        asked ? `the server asks for ${asked.plugin}` : 'the server goes on with another way of logging in',
      );
    }
  }
}

/** Leaves a stream to the next reader; the server must not have sent anything more. */
function leave(reader: ByteReader): void {
  reader.release();
  if (reader.buffered > 0) throw new LoginFailure('protocol-violated', 'the server spoke out of turn');
}

function failureOf(error: unknown): unknown {
  if (isConnectionEnded(error)) return error.cause ?? new LoginFailure('connection-lost');
  if (isProtocolError(error)) {
    return new LoginFailure('protocol-violated', `this is not the login of a MySQL server: ${error.message}`, {
      cause: error,
    });
  }
  return error;
}

function notAnIamUser(what: string, cause?: unknown): LoginFailure {
  return new LoginFailure('stored-password-wanted', what, cause === undefined ? {} : { cause });
}

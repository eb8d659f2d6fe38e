import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { assertVerifiedPeer } from '@rds-iam/core/adapter';
import { ByteReader, ProtocolError } from '@rds-iam/wire';
import {
  Channel,
  decodeAuthSwitch,
  decodeChangeUser,
  encodeChangeUser,
  type HandshakeResponse,
  nulTerminated,
  Plugin,
  Reply,
  settle,
} from '@rds-iam/wire/mysql';
import type { Door } from '../engine.js';
import { Refusal } from '../refusal.js';
import { authenticate, type Question } from './authentication.js';
import { ServerError } from './errors.js';

/** A COM_CHANGE_USER and its session. */
export interface Change {
  readonly command: Buffer;
  readonly offered: Question;
  readonly response: HandshakeResponse;
  /** The client's channel, in the middle of the command. */
  readonly channel: Channel;
  readonly client: Socket;
  readonly socket: TLSSocket;
  readonly identity: string;
  readonly resumed: Buffer | undefined;
}

/** No packet of a server is longer during a login. */
const MAX_BYTES = 65_536;
/** A plugin that no account uses, so that the server names the right one. */
const ANY_PLUGIN = 'rds_iam_proxy';

/**
 * Makes the server change the user of a session, with a token for the new one.
 *
 * @returns the payload of the server's OK
 * @throws Refusal, ProtocolError, ConnectionEnded
 */
export async function changeUser(change: Change, door: Door): Promise<Buffer> {
  const { command, offered, response, channel, client, socket, identity, resumed } = change;
  const reader = new ByteReader(socket);
  try {
    await settle(client, socket, reader);
    const asked = decodeChangeUser(command);
    const { username, plugin, authentication } = asked;
    await authenticate(channel, offered, { ...response, username, plugin, authentication }, door.password);
    const database = asked.database.toString('utf8') || undefined;
    door.checkAsked(username, database);
    const token = await door.getToken(username);

    const server = new Channel({ stream: socket, reader });
    server.write(
      encodeChangeUser({
        ...asked,
        database: Buffer.from(database ?? door.target.database ?? ''),
        characterSet: asked.characterSet ?? response.characterSet,
        authentication: Buffer.alloc(0),
        plugin: ANY_PLUGIN,
      }),
    );
    let said = await server.read(MAX_BYTES);
    const wanted = decodeAuthSwitch(said);
    if (wanted !== undefined) {
      if (wanted.plugin !== Plugin.clearPassword) throw notAnIamUser(username, wanted.plugin);
      assertVerifiedPeer(socket, identity, resumed);
      server.write(nulTerminated(token));
      said = await server.read(MAX_BYTES);
    }
    if (said[0] === Reply.ok && wanted !== undefined) return said;
    if (said[0] === Reply.error) throw new Refusal('server', new ServerError(said).message);
    throw new ProtocolError('layout', 'the server does not answer a change of user as MySQL does');
  } finally {
    reader.release();
  }
}

const notAnIamUser = (username: string, plugin: string) =>
  new Refusal('server', `rds-iam proxy: the server asks for the ${plugin} of "${username}", who is no IAM user`, {
    hint: "CREATE USER … IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'.",
  });

// The emulator's own connection to the database behind it: dialing, and logging in with the configured password.
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { ByteReader, isConnectionEnded, isProtocolError } from '@rds-iam/wire';
import {
  Authentication,
  decodeAuthentication,
  encodeFirstPacket,
  encodeMessage,
  encodePassword,
  encodeSaslInitial,
  type Message,
  MessageType,
  readMessage,
} from '@rds-iam/wire/postgres';
import { dialPlain, dialTls, type Track, whyUnreachable } from '../dial.js';
import type { UpstreamOptions } from '../options.js';
import { upstreamLoginFailed, upstreamRefused, upstreamUnreachable } from './refusals.js';
import { createScramClient, MECHANISM } from './scram.js';

// No message of a PostgreSQL server is longer before the end of a login.
const MAX_MESSAGE_BYTES = 65_536;

/**
 * Connects to the upstream, over TLS if that is configured. `track` sees every socket before anything can go wrong.
 * @throws Refusal with the reason `upstream`
 */
export async function dial(upstream: UpstreamOptions, track: Track): Promise<Socket> {
  try {
    const socket = await dialPlain(upstream, track);
    if (!upstream.tls) return socket;

    const reader = new ByteReader(socket);
    socket.write(encodeFirstPacket({ kind: 'ssl' }));
    const answer = await reader.read(1);
    if (answer.toString() !== 'S' || reader.buffered > 0) throw new Error('it does not offer TLS');
    reader.release();
    return await dialTls(socket, upstream, track, 'postgresql');
  } catch (error) {
    throw upstreamUnreachable(whyUnreachable(upstream, error));
  }
}

/** A message from the upstream, and the authentication request in it, if any. */
export interface UpstreamMessage extends Message {
  readonly authentication: ReturnType<typeof decodeAuthentication>;
}

/** Reads one message from the upstream. @throws Refusal with the reason `upstream` */
export async function readUpstream(reader: ByteReader): Promise<UpstreamMessage> {
  try {
    const message = await readMessage(reader, MAX_MESSAGE_BYTES);
    return { ...message, authentication: decodeAuthentication(message) };
  } catch (error) {
    if (isConnectionEnded(error)) throw upstreamUnreachable('the upstream closed the connection during the login');
    if (isProtocolError(error)) throw upstreamUnreachable('the upstream does not speak the PostgreSQL protocol');
    throw error;
  }
}

/**
 * Answers the upstream's authentication requests until it lets the user in or refuses. Its other messages in between go to
 * `forward`. Resolves to its AuthenticationOk.
 * @throws Refusal with the reason `upstream`
 */
export async function logIn(
  socket: Socket,
  reader: ByteReader,
  username: string,
  configured: UpstreamOptions['password'],
  forward: (bytes: Buffer) => void,
): Promise<Message> {
  for (;;) {
    const message = await readUpstream(reader);
    const { request, data } = message.authentication ?? { request: undefined, data: message.body };
    if (request === Authentication.ok) return message;
    if (message.type === MessageType.error) throw upstreamRefused(message.bytes);
    switch (request) {
      case undefined:
        forward(message.bytes);
        break;
      case Authentication.cleartextPassword:
        socket.write(encodePassword(passwordOf(configured, username)));
        break;
      case Authentication.md5Password:
        socket.write(encodePassword(md5Answer(passwordOf(configured, username), username, data)));
        break;
      case Authentication.sasl:
        await scram(socket, reader, data, passwordOf(configured, username));
        break;
      default:
        throw upstreamLoginFailed(`the upstream asks for a kind of authentication (${request}) that is not supported`);
    }
  }
}

function passwordOf(configured: UpstreamOptions['password'], username: string): string {
  const password = typeof configured === 'function' ? configured(username) : configured;
  if (typeof password === 'string' && password !== '') return password;
  throw upstreamLoginFailed(`the upstream asks for the password of "${username}", set "upstream.password"`);
}

function md5Answer(password: string, username: string, salt: Buffer): string {
  const md5 = (...parts: Array<string | Buffer>) =>
    parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex');
  return `md5${md5(md5(password, username), salt)}`;
}

async function scram(socket: Socket, reader: ByteReader, offered: Buffer, password: string): Promise<void> {
  if (!offered.toString('latin1').split('\0').includes(MECHANISM)) {
    throw upstreamLoginFailed(`the upstream does not offer ${MECHANISM}`);
  }
  const client = createScramClient(password);
  socket.write(encodeSaslInitial({ mechanism: MECHANISM, data: client.first }));
  const first = await readUpstream(reader);
  if (first.type === MessageType.error) throw upstreamRefused(first.bytes);
  if (first.authentication?.request !== Authentication.saslContinue) throw badScram();
  const proof = await client.final(first.authentication.data.toString('latin1')).catch(() => {
    throw badScram();
  });
  socket.write(encodeMessage(MessageType.password, Buffer.from(proof)));
  const final = await readUpstream(reader);
  if (final.type === MessageType.error) throw upstreamRefused(final.bytes);
  const { authentication } = final;
  if (authentication?.request !== Authentication.saslFinal || !client.verify(authentication.data.toString('latin1'))) {
    throw badScram();
  }
}

const badScram = () => upstreamLoginFailed('the upstream does not prove that it knows the password');

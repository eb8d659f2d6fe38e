// The emulator's own end at the database behind it: dialling, and logging in with the configured password.
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { ByteReader, ConnectionEnded } from '../bytes.js';
import { dialPlain, dialTls, type Track, whyUnreachable } from '../dial.js';
import type { UpstreamOptions } from '../options.js';
import { Refusal } from '../refusal.js';
import { encodeMessage } from './message.js';
import { Authentication, encodePassword, encodeSaslInitial, encodeSslRequest } from './protocol.js';
import { type Message, readMessage } from './reader.js';
import { upstreamLoginFailed, upstreamRefused, upstreamUnreachable } from './refusals.js';
import { createScramClient, MECHANISM } from './scram.js';

// No server's message before a login is longer; one that claims to be is no PostgreSQL's.
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
    socket.write(encodeSslRequest());
    const answer = await reader.read(1);
    if (answer.toString() !== 'S' || reader.buffered > 0) throw new Error('it does not offer TLS');
    reader.release();
    return await dialTls(socket, upstream, track, 'postgresql');
  } catch (error) {
    throw upstreamUnreachable(whyUnreachable(upstream, error));
  }
}

/** Reads one message of the upstream's. @throws Refusal with the reason `upstream` */
export async function readUpstream(reader: ByteReader): Promise<Message> {
  try {
    return await readMessage(reader, MAX_MESSAGE_BYTES);
  } catch (error) {
    if (error instanceof ConnectionEnded)
      throw upstreamUnreachable('the upstream closed the connection during the login');
    if (error instanceof Refusal) throw upstreamUnreachable('the upstream does not speak the PostgreSQL protocol');
    throw error;
  }
}

/** The number of an authentication request, or `undefined` for any other message. */
export const authenticationRequest = ({ type, body }: Message): number | undefined =>
  type === 'R' && body.length >= 4 ? body.readInt32BE(0) : undefined;

/**
 * Answers the upstream's authentication requests until it lets the user in or does not. What else it says on the way
 * goes to `forward`. Resolves to its AuthenticationOk.
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
    const request = authenticationRequest(message);
    if (request === Authentication.ok) return message;
    if (message.type === 'E') throw upstreamRefused(message.bytes);
    switch (request) {
      case undefined:
        forward(message.bytes);
        break;
      case Authentication.cleartextPassword:
        socket.write(encodePassword(passwordOf(configured, username)));
        break;
      case Authentication.md5Password:
        socket.write(encodePassword(md5Answer(passwordOf(configured, username), username, message.body.subarray(4))));
        break;
      case Authentication.sasl:
        await scram(socket, reader, message, passwordOf(configured, username));
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

async function scram(socket: Socket, reader: ByteReader, request: Message, password: string): Promise<void> {
  if (!request.body.toString('latin1', 4).split('\0').includes(MECHANISM)) {
    throw upstreamLoginFailed(`the upstream does not offer ${MECHANISM}`);
  }
  const client = createScramClient(password);
  socket.write(encodeSaslInitial(MECHANISM, client.first));
  const first = await readUpstream(reader);
  if (first.type === 'E') throw upstreamRefused(first.bytes);
  if (authenticationRequest(first) !== Authentication.saslContinue) throw badScram();
  const proof = await client.final(first.body.toString('latin1', 4)).catch(() => {
    throw badScram();
  });
  socket.write(encodeMessage('p', Buffer.from(proof)));
  const final = await readUpstream(reader);
  if (final.type === 'E') throw upstreamRefused(final.bytes);
  if (authenticationRequest(final) !== Authentication.saslFinal || !client.verify(final.body.toString('latin1', 4))) {
    throw badScram();
  }
}

const badScram = () => upstreamLoginFailed('the upstream does not prove that it knows the password');

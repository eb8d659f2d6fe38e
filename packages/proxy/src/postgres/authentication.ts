import { ProtocolError } from '@rds-iam/wire';
import {
  Authentication,
  decodePassword,
  decodeSaslInitial,
  encodeAuthentication,
  MessageType,
} from '@rds-iam/wire/postgres';
import type { Client } from '../client.js';
import type { ProxyOptions } from '../options.js';
import { isSamePassword } from '../password.js';
import { Refusal } from '../refusal.js';
import { beginExchange, MECHANISM, makeVerifier } from './scram.js';

/** Far more than one of our passwords or a SCRAM message needs. */
const MAX_ANSWER_BYTES = 10_000;

/** Makes a client prove that it knows the password. @throws Refusal, ProtocolError, ConnectionEnded */
export type Authenticate = (client: Client, username: string) => Promise<void>;

export function authenticationBy(method: ProxyOptions['passwordMethod'], password: string): Authenticate {
  return method === 'password' ? inClearText(password) : byScram(password);
}

function inClearText(password: string): Authenticate {
  return async (client, username) => {
    client.stream.write(encodeAuthentication(Authentication.cleartextPassword));
    if (!isSamePassword(decodePassword(await readAnswer(client)), password)) throw wrongPassword(username);
  };
}

function byScram(password: string): Authenticate {
  const verifier = makeVerifier(password);
  return async (client, username) => {
    client.stream.write(encodeAuthentication(Authentication.sasl, Buffer.from(`${MECHANISM}\0\0`)));
    const { mechanism, data } = decodeSaslInitial(await readAnswer(client));
    const exchange = mechanism === MECHANISM ? beginExchange(data, verifier) : undefined;
    if (!exchange) throw new ProtocolError('layout', `no first message of ${MECHANISM}`);
    client.stream.write(encodeAuthentication(Authentication.saslContinue, Buffer.from(exchange.serverFirst)));
    const serverFinal = exchange.finish((await readAnswer(client)).toString('utf8'));
    if (serverFinal === undefined) throw wrongPassword(username);
    client.stream.write(encodeAuthentication(Authentication.saslFinal, Buffer.from(serverFinal)));
  };
}

/** The body of the client's next answer. */
async function readAnswer(client: Client): Promise<Buffer> {
  const header = await client.read(5);
  const bytes = header.readUInt32BE(1) - 4;
  if (header.toString('latin1', 0, 1) !== MessageType.password)
    throw new ProtocolError('layout', 'no answer to a request for the password');
  if (bytes < 1 || bytes > MAX_ANSWER_BYTES) throw new ProtocolError('length', `an answer of ${bytes} bytes`);
  return client.read(bytes);
}

const wrongPassword = (username: string) =>
  new Refusal('password', `password authentication failed for user "${username}"`, {
    hint: 'It is the password of the proxy, which it printed at its start, and not one of the database.',
  });

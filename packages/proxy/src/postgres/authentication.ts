import type { Client } from '../client.js';
import type { ProxyOptions } from '../options.js';
import { isSamePassword } from '../password.js';
import { Refusal } from '../refusal.js';
import { badProtocol, encodeAuthentication, readAnswer } from './protocol.js';
import { beginExchange, MECHANISM, makeVerifier } from './scram.js';

/** Has a client prove that it knows the password. @throws Refusal, ClientGone */
export type Authenticate = (client: Client, username: string) => Promise<void>;

export function authenticationBy(method: ProxyOptions['passwordMethod'], password: string): Authenticate {
  return method === 'password' ? inClearText(password) : byScram(password);
}

function inClearText(password: string): Authenticate {
  return async (client, username) => {
    client.stream.write(encodeAuthentication('cleartextPassword'));
    const answer = await readAnswer(client);
    if (answer.indexOf(0) !== answer.length - 1) throw badProtocol('invalid password packet size');
    if (!isSamePassword(answer.toString('utf8', 0, answer.length - 1), password)) throw wrongPassword(username);
  };
}

function byScram(password: string): Authenticate {
  const verifier = makeVerifier(password);
  return async (client, username) => {
    client.stream.write(encodeAuthentication('sasl', `${MECHANISM}\0\0`));
    const initial = await readAnswer(client);
    const end = initial.indexOf(0);
    const isFirst = initial.toString('latin1', 0, end) === MECHANISM && initial.length >= end + 5;
    const exchange = isFirst ? beginExchange(initial.toString('utf8', end + 5), verifier) : undefined;
    if (!exchange) throw badProtocol('malformed SCRAM message');
    client.stream.write(encodeAuthentication('saslContinue', exchange.serverFirst));
    const serverFinal = exchange.finish((await readAnswer(client)).toString('utf8'));
    if (serverFinal === undefined) throw wrongPassword(username);
    client.stream.write(encodeAuthentication('saslFinal', serverFinal));
  };
}

const wrongPassword = (username: string) =>
  new Refusal('password', `password authentication failed for user "${username}"`, {
    hint: 'It is the password of the proxy, which it printed at its start, and not one of the database.',
  });

import type { TLSSocket } from 'node:tls';
import { createRdsIam, isRdsIamError, type RdsIam } from '@rds-iam/core';
import { type EmulatorOptions, startEmulator } from '@rds-iam/emulator';
import { CREDENTIALS } from '@rds-iam/test-servers';
import { moveClock } from './clock.js';
import { type Row, step } from './terminal.js';

/** How to reach the database through the emulator. */
interface Config {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

interface Session {
  /** The single value that a query returns. */
  value(sql: string): Promise<unknown>;
  readonly socket: TLSSocket;
  release(): void;
  close(): void;
}

interface DemoPool {
  checkout(): Promise<Session>;
  end(): Promise<void>;
}

/** A package to demonstrate, and the plain driver for comparison. */
export interface Subject {
  readonly package: string;
  readonly engine: NonNullable<EmulatorOptions['engine']>;
  readonly upstream: EmulatorOptions['upstream'];
  /** The engine's queries. */
  readonly sql: { readonly user: string; readonly session: string };
  createPool(config: Config & { readonly iam: RdsIam }): DemoPool;
  /** Logs in with the plain driver and a token as the password: in clear, or over TLS with this CA. */
  logInPlainly(config: Config & { readonly password: string; readonly ca: string | undefined }): Promise<void>;
}

export const REGION = 'eu-west-1';

/** Demonstrates a package; the server has a user `app`, without a password, and a database `shop`. */
export async function demonstrate(subject: Subject): Promise<Row[]> {
  const rows: Row[] = [];
  const show = (shown: string, measured: string, ok: boolean) =>
    rows.push({ package: subject.package, shown, measured, ok });

  const { engine, upstream } = subject;
  await using emulator = await step('starting the emulator of the IAM login in front of it', () =>
    startEmulator({ engine, upstream, region: REGION, accessKeys: [CREDENTIALS] }),
  );
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca: emulator.ca });
  const config = { host: 'localhost', port: emulator.port, user: 'app', database: 'shop' };
  const pool = subject.createPool({ ...config, iam });

  const session = await step(`${subject.package}: connecting with no password`, () => pool.checkout());
  const user = String(await session.value(subject.sql.user));
  show('logs in without a password', `as ${user}`, user.startsWith('app'));

  const { socket } = session;
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  show(
    'TLS is on, certificate and name verified',
    `${socket.getProtocol()} ${socket.getCipher().name}`,
    socket.encrypted && socket.authorized && names.includes('DNS:localhost'),
  );

  const startedAt = performance.now();
  const others = await step('opening 9 more connections', () =>
    Promise.all(Array.from({ length: 9 }, () => pool.checkout())),
  );
  const { accepted, distinctTokens } = emulator.stats;
  const ms = Math.round(performance.now() - startedAt);
  show('many connections, one token', `${accepted} logins, ${distinctTokens} token, ${ms} ms`, distinctTokens === 1);

  const id = await session.value(subject.sql.session);
  await step('moving the clock by 16 minutes: the first token has expired', async () => moveClock(16 * 60_000));
  const idNow = await session.value(subject.sql.session);
  show('an open session lives on', `still session ${idNow}`, idNow === id);

  for (const other of others) other.close();
  const again = await step('opening a new connection', () => pool.checkout());
  await again.value(subject.sql.user);
  show(
    'the pool goes on with a new token',
    `${emulator.stats.distinctTokens} tokens so far`,
    emulator.stats.distinctTokens === 2,
  );
  again.release();
  session.release();

  const { token: password } = await iam.getToken({ hostname: config.host, port: config.port, username: config.user });
  const inClear = await failureOf(subject.logInPlainly({ ...config, password, ca: undefined }));
  show('the server refuses a login in clear', inClear, inClear !== LET_IN);
  const tampered = password.slice(0, -1) + (password.endsWith('0') ? '1' : '0');
  const forged = await failureOf(subject.logInPlainly({ ...config, password: tampered, ca: emulator.ca }));
  show('the server refuses a tampered token', forged, forged !== LET_IN);

  const tries = subject.createPool({ ...config, iam });
  emulator.setFaults({ tls: 'off' });
  const withoutTls = await failureOf(tries.checkout());
  show('we send no token to a server without TLS', withoutTls, withoutTls === 'ERR_RDS_IAM_TLS');
  emulator.setFaults({ tls: 'other-ca' });
  const impostor = await failureOf(tries.checkout());
  show('nor to one that we cannot verify', impostor, impostor === 'ERR_RDS_IAM_TLS');

  await Promise.all([pool.end(), tries.end()]);
  return rows;
}

const LET_IN = 'it was let in';

/** Describes how a login fails that should. */
async function failureOf(login: Promise<unknown>): Promise<string> {
  try {
    await login;
    return LET_IN;
  } catch (error) {
    if (isRdsIamError(error)) return error.code;
    const { code, message } = error as { code?: string; message: string };
    return `${code} ${message.replace(/ for (?:host|user).*?(?=, no|$)/, '')}`.slice(0, 60);
  }
}

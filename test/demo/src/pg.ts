import type { TLSSocket } from 'node:tls';
import { startEmulator } from '@rds-iam/emulator';
import { Client, createRdsIam, isRdsIamError, Pool } from '@rds-iam/pg';
import type { PostgresServer } from '@rds-iam/test-servers';
import pg from 'pg';
import { moveClock } from './clock.js';
import { step } from './terminal.js';

export interface DemoRow {
  readonly package: string;
  readonly shown: string;
  readonly measured: string;
  readonly ok: boolean;
}

const REGION = 'eu-west-1';
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

export async function demonstratePg(postgres: PostgresServer): Promise<DemoRow[]> {
  const rows: DemoRow[] = [];
  const show = (shown: string, measured: string, ok: boolean) =>
    rows.push({ package: '@rds-iam/pg', shown, measured, ok });

  const admin = await postgres.connectAsSuperuser();
  await admin.query('create role app login');
  await admin.query('create database shop owner app');
  await admin.end();
  await using emulator = await step('starting the emulator of the IAM login in front of it', () =>
    startEmulator({
      upstream: { hostname: postgres.hostname, port: postgres.port },
      region: REGION,
      accessKeys: [CREDENTIALS],
    }),
  );

  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca: emulator.ca });
  const config = { host: 'localhost', port: emulator.port, user: 'app', database: 'shop', iam };
  const pool = new Pool({ ...config, max: 10 });

  const session = await step('connecting with no password', () => pool.connect());
  const { rows: who } = await session.query<{ name: string }>('select current_user as name');
  show('logs in without a password', `as ${who[0]?.name}`, who[0]?.name === 'app');

  const socket = (session as unknown as { connection: { stream: TLSSocket } }).connection.stream;
  const subject = socket.getPeerCertificate().subjectaltname ?? '';
  show(
    'TLS is on, certificate and name verified',
    `${socket.getProtocol()} ${socket.getCipher().name}`,
    socket.encrypted && socket.authorized && subject.includes('DNS:localhost'),
  );

  const startedAt = performance.now();
  await step('opening 10 connections for 100 queries', () =>
    Promise.all(Array.from({ length: 100 }, () => pool.query('select pg_sleep(0.01)'))),
  );
  const { accepted, distinctTokens } = emulator.stats;
  show(
    'many connections, one token',
    `${accepted} logins, ${distinctTokens} token, ${Math.round(performance.now() - startedAt)} ms`,
    distinctTokens === 1,
  );

  await step('moving the clock by 16 minutes: the first token has expired', async () => moveClock(16 * 60_000));
  const { rows: alive } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
  show(
    'an open session lives on',
    `still process ${alive[0]?.pid}`,
    alive[0]?.pid === (session as unknown as { processID: number }).processID,
  );

  for (const client of await Promise.all(Array.from({ length: 9 }, () => pool.connect()))) client.release(true);
  const [again] = await step('opening new connections', () => Promise.all([pool.query('select 1')]));
  show(
    'the pool goes on with a new token',
    `${emulator.stats.distinctTokens} tokens so far`,
    again.rowCount === 1 && emulator.stats.distinctTokens === 2,
  );
  session.release();

  const { token } = await iam.getToken({ hostname: 'localhost', port: emulator.port, username: 'app' });
  const plaintext = await refusal(new pg.Client({ ...config, password: token, ssl: false }));
  show('the server refuses a login in clear', plaintext, plaintext.startsWith('28000'));

  const tampered = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0');
  const forged = await refusal(new pg.Client({ ...config, password: tampered, ssl: { ca: emulator.ca } }));
  show('the server refuses a tampered token', forged, forged.startsWith('28000'));

  emulator.setFaults({ tls: 'off' });
  const withoutTls = await refusal(new Client(config));
  show('we send no token to a server without TLS', withoutTls, withoutTls === 'ERR_RDS_IAM_TLS');
  emulator.setFaults({ tls: 'other-ca' });
  const impostor = await refusal(new Client(config));
  show('nor to one that we cannot verify', impostor, impostor === 'ERR_RDS_IAM_TLS');
  emulator.setFaults({});

  await pool.end();
  return rows;
}

/** How a login that should fail fails, in a few words. */
async function refusal(client: pg.Client): Promise<string> {
  try {
    await client.connect();
    await client.end();
    return 'it was let in';
  } catch (error) {
    if (isRdsIamError(error)) return error.code;
    const { code, message } = error as { code?: string; message: string };
    return `${code} ${message.replace(/ for (?:host|user).*?(?=, no|$)/, '')}`;
  }
}

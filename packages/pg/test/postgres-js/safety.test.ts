import { once } from 'node:events';
import { createServer } from 'node:net';
import { startRecordingPostgres, verifyNothing } from '@rds-iam/conformance';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import postgres from 'postgres';
import { beforeAll, describe, expect, test } from 'vitest';
import { withRdsIam } from '../../src/postgres-js.js';
import { CREDENTIALS, REGION } from '../stack.js';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority();
});

async function failure(port: number, options: object = {}): Promise<unknown> {
  const iam = { region: REGION, credentials: CREDENTIALS, ca: authority.ca, retry: { baseDelayMs: 1, maxDelayMs: 1 } };
  const sql = postgres(withRdsIam({ host: 'localhost', port, user: 'app', database: 'shop', iam, ...options }));
  const error = await sql`select 1`.then(
    () => expect.unreachable('the login succeeded'),
    (thrown: unknown) => thrown,
  );
  await sql.end();
  return error;
}

const TOKEN = /X-Amz|Action=connect/;

// In addition to the conformance suite, which every package runs.
describe('a token', () => {
  test('is not sent even if the underlying TLS verifies nothing', async () => {
    const connections = verifyNothing();
    for (const certificate of [
      await (await createCertificateAuthority()).issue({ hostnames: ['localhost'] }),
      await authority.issue({ hostnames: ['other.example.com'] }),
    ]) {
      await using server = await startRecordingPostgres(certificate);
      expect(await failure(server.port)).toMatchObject({
        code: 'ERR_RDS_IAM_TLS',
        message: expect.stringContaining('was not sent'),
      });
      expect(server.received()).toContain('user\0app');
      expect(server.received()).not.toMatch(TOKEN);
    }
    expect(connections()).toBeGreaterThan(0);
  });

  test.each(['postgres', 'direct'])(
    'is sent once, whatever the server asks for after that: sslnegotiation=%s',
    async (way) => {
      await using server = await startRecordingPostgres(await authority.issue({ hostnames: ['localhost'] }));
      expect(await failure(server.port, { sslnegotiation: way })).toMatchObject({
        code: 'ERR_RDS_IAM_LOGIN',
        attempts: 1,
        cause: { message: expect.stringContaining('the server wants more than the token') },
      });
      expect(server.received().match(/Action=connect/g)).toHaveLength(1);
    },
  );
});

describe('a server is refused if it answers the request for TLS', () => {
  test.each([
    ['with extra bytes, which would be taken for data sent over TLS', 'SR\0\0\0\x08\0\0\0\x03', 1],
    ['with something else', 'x', 1],
    ['with an error in clear, which is not passed on', 'E\0\0\0\x10SFATAL\0Mfooled\0\0', 3],
  ])('%s', async (_, answer, attempts) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.write(answer, 'latin1'));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const error = await failure(port);
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_TLS', attempts });
    expect(String(error)).not.toContain('fooled');
    server.close();
    await once(server, 'close');
  });
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toPem } from '../src/ca-bundles.js';
import { RDS_ROOTS } from '../src/root-certificates.js';

const HOSTNAME = 'db.abc123.eu-west-1.rds.amazonaws.com';
const WITHOUT_ROOTS = 'db.abc123.us-gov-west-1.rds.amazonaws.com';

/** Does a handshake as a driver would, in a new process, because Node.js reads its setting at the start. */
const PROGRAM = `
  import { once } from 'node:events';
  import { connect } from 'node:tls';
  import { createRdsIam } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
  const { HOSTNAME: hostname, PORT, CA } = process.env;
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a' };
  const iam = createRdsIam({ credentials, ...(CA && { ca: CA }) });
  try {
    await iam.connect({ hostname, port: 5432, username: 'app' }, async ({ tls, identity }) => {
      const socket = connect({ ...tls, host: '127.0.0.1', port: Number(PORT), servername: identity });
      await once(socket, 'secureConnect').finally(() => socket.destroy());
    });
    console.log('verified');
  } catch (error) {
    console.log(error.code + ' ' + error.message);
  }`;

let folder: string;
let server: Server;
let trustedFile: string;
let ca: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rds-iam-roots-'));
  const authority = await createCertificateAuthority();
  ca = authority.ca;
  const certificate = await authority.issue({ hostnames: [HOSTNAME, WITHOUT_ROOTS] });
  server = createServer(certificate).listen(0, '127.0.0.1');
  await once(server, 'listening');
  trustedFile = join(folder, 'ca.pem');
  await writeFile(trustedFile, `# a comment, as bundles have them\n${authority.ca}`);
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

async function handshake(settings: Readonly<Record<string, string>>): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@rds-iam/source', '--import', 'tsx', '--input-type=module', '--eval', PROGRAM],
    {
      cwd: fileURLToPath(new URL('../../../test/demo', import.meta.url)),
      env: { ...inherited, HOSTNAME, PORT: String((server.address() as AddressInfo).port), ...settings },
    },
  );
  return stdout.trim();
}

describe('a server whose authority only the operator trusts', () => {
  test('is refused without NODE_EXTRA_CA_CERTS, and the error says which roots were trusted', async () => {
    const said = await handshake({});
    expect(said).toMatch(/^ERR_RDS_IAM_TLS /);
    expect(said).toContain('authority is not trusted; trusted are 3 of Amazon RDS in eu-west-1:');
    expect(said).toContain('npx rds-iam ca --region eu-west-1');
  });

  test('is verified with NODE_EXTRA_CA_CERTS', async () => {
    expect(await handshake({ NODE_EXTRA_CA_CERTS: trustedFile })).toBe('verified');
  });

  test('is verified in a region without any other roots', async () => {
    expect(await handshake({ NODE_EXTRA_CA_CERTS: trustedFile, HOSTNAME: WITHOUT_ROOTS })).toBe('verified');
    expect(await handshake({ HOSTNAME: WITHOUT_ROOTS })).toMatch(/^ERR_RDS_IAM_CONFIG "ca" is required/);
  });

  test('is refused if "ca" is given, which nothing is added to', async () => {
    const other = (await createCertificateAuthority()).ca;
    const said = await handshake({ NODE_EXTRA_CA_CERTS: trustedFile, CA: other });
    expect(said).toMatch(/^ERR_RDS_IAM_TLS .*trusted are those of "ca":/s);
    expect(await handshake({ CA: ca })).toBe('verified');
  });

  test('is refused if the file in NODE_EXTRA_CA_CERTS does not exist, or is empty', async () => {
    expect(await handshake({ NODE_EXTRA_CA_CERTS: join(folder, 'none.pem') })).toMatch(/^ERR_RDS_IAM_TLS /);
    const empty = join(folder, 'empty.pem');
    await writeFile(empty, 'nothing');
    expect(await handshake({ NODE_EXTRA_CA_CERTS: empty })).toMatch(/^ERR_RDS_IAM_TLS /);
  });
});

test("the whole RDS bundle in NODE_EXTRA_CA_CERTS, as in Lambda's images, does not add another region's roots", async () => {
  const bundle = join(folder, 'global-bundle.pem');
  await writeFile(bundle, Object.values(RDS_ROOTS).flat().map(toPem).join('\n') + ca);
  expect(await handshake({ NODE_EXTRA_CA_CERTS: bundle })).toBe('verified');
  await writeFile(bundle, Object.values(RDS_ROOTS).flat().map(toPem).join('\n'));
  expect(await handshake({ NODE_EXTRA_CA_CERTS: bundle })).toContain('trusted are 3 of Amazon RDS in eu-west-1:');
});

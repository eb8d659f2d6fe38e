import { createRdsIam } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { startPostgres } from '@rds-iam/test-servers';
import { expect, test } from 'vitest';
import { Pool } from '../src/index.js';
import { CREDENTIALS, REGION } from './stack.js';

// RDS checks a token in the place of a password. With a role whose password is the token, the login is the same without an
// emulator in between, and the server itself can be asked what it saw.
test('PostgreSQL itself says that the login came over TLS 1.3, and that its password was the token', async () => {
  const authority = await createCertificateAuthority();
  const tls = await authority.issue({ hostnames: ['localhost'] });
  await using postgres = await startPostgres({ tls, hba: ['hostssl all all 127.0.0.1/32 password'] });
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca: authority.ca });
  const { token } = await iam.getToken({ hostname: 'localhost', port: postgres.port, username: 'app' });
  const admin = await postgres.connectAsSuperuser();
  await admin.query(`create role app login password ${admin.escapeLiteral(token)}`);

  const pool = new Pool({ host: 'localhost', port: postgres.port, user: 'app', database: 'postgres', iam });
  const { rows } = await pool.query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');
  expect(rows).toEqual([{ ssl: true, version: 'TLSv1.3' }]);
  await pool.end();

  await admin.query("alter role app password 'another'");
  const refused = new Pool({ host: 'localhost', port: postgres.port, user: 'app', database: 'postgres', iam });
  await expect(refused.query('select 1')).rejects.toMatchObject({
    code: 'ERR_RDS_IAM_REFUSED',
    cause: { code: '28P01' },
  });
  await refused.end();
  await admin.end();
});

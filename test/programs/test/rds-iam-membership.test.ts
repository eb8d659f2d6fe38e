// What docs/from-passwords.md says about membership in rds_iam, on a real PostgreSQL that treats members like RDS does.
import { Client } from '@rds-iam/pg';
import { startPostgres } from '@rds-iam/test-servers';
import { expect, test } from 'vitest';

test('the creator of an IAM user is a member of rds_iam through it, as long as that user is', async () => {
  await using server = await startPostgres({
    hba: ['host all +rds_iam 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 trust'],
  });
  const superuser = await server.connectAsSuperuser();
  const connect = async () => {
    const at = { host: server.hostname, port: server.port, user: 'master', database: 'postgres' };
    const client = new Client({ ...at, iam: { enabled: false } });
    await client.connect();
    return client;
  };
  await superuser.query('create role rds_iam; create role master login createrole');
  const master = await connect();
  await master.query('create user app with login');
  await superuser.query('grant rds_iam to app');
  await expect(connect()).rejects.toMatchObject({ code: '28000' });
  await superuser.query('revoke rds_iam from app');
  await (await connect()).end();
  await master.end();
  await superuser.end();
});

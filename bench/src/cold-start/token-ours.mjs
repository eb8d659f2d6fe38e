import { createRdsIam } from '@rds-iam/core';

const { token } = await createRdsIam().getToken({
  hostname: process.env['BENCH_HOSTNAME'],
  port: 5432,
  username: 'app',
});
process.stdout.write(token);

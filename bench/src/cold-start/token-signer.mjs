import { Signer } from '@aws-sdk/rds-signer';

const token = await new Signer({
  hostname: process.env['BENCH_HOSTNAME'],
  port: 5432,
  username: 'app',
}).getAuthToken();
process.stdout.write(token);

// For `prisma migrate … --config migrate.config.ts`: each command gets a token of its own time.
import { createRdsIam } from '@rds-iam/prisma';
import { defineConfig } from 'prisma/config';

const [hostname, port, username] = ['mydb.abc123.eu-west-1.rds.amazonaws.com', 5432, 'app'] as const;
const { token } = await createRdsIam().getToken({ hostname, port, username });

export default defineConfig({
  schema: './postgres.prisma',
  datasource: {
    // sslcert: the one root that the server's certificate is of, as rds-ca-rsa2048-g1; of a bundle only the first is read.
    url: `postgresql://${username}:${encodeURIComponent(token)}@${hostname}:${port}/shop?sslmode=require&sslaccept=strict&sslcert=./rds-ca.pem`,
  },
});

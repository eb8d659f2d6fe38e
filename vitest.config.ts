import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

// Workspace packages are tested from their sources, without a build.
const conditions = ['@rds-iam/source'];

const oldestPg = createRequire(new URL('./packages/pg/package.json', import.meta.url)).resolve('pg-oldest');

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    globalSetup: ['./test/servers/src/vitest-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Nothing in a test may reach AWS or read the developer's own AWS settings; port 9 answers nobody.
    env: {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
      AWS_CONFIG_FILE: '/nonexistent/aws-config',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/aws-credentials',
      AWS_PROFILE: '',
      AWS_REGION: '',
      AWS_DEFAULT_REGION: '',
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_SESSION_TOKEN: '',
    },
    projects: [
      { extends: true, test: { name: 'all', include: ['packages/*/test/**/*.test.ts', 'test/*/test/**/*.test.ts'] } },
      {
        // The oldest pg of the peer range; the newest is what `pg` itself is here.
        extends: true,
        resolve: { alias: [{ find: /^pg$/, replacement: oldestPg }] },
        test: {
          name: 'pg-oldest',
          include: ['conformance', 'login', 'bad-input', 'safety'].map((name) => `packages/pg/test/${name}.test.ts`),
        },
      },
    ],
  },
});

import { defineConfig } from 'vitest/config';

// Workspace packages are tested from their sources, without a build.
const conditions = ['@rds-iam/source', 'module', 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/*/test/**/*.test.ts'],
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
  },
});

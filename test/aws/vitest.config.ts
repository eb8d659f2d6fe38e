import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { conditions, resolveFrom } from '../../vitest.config.js';

/** Apart from the other tests, which are kept from AWS: these are for it. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // The sessions that a database has of the user are those of one test.
    fileParallelism: false,
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'aws',
          // Here and not for both, which would say everything twice.
          globalSetup: ['./src/announce.ts'],
          include: ['suite/*.ts'],
          exclude: ['suite/prisma-*.ts'],
        },
      },
      // As an application has them: one mariadb, the version that Prisma's adapter reads the results of.
      {
        extends: true,
        resolve: { alias: [{ find: /^mariadb$/, replacement: resolveFrom('prisma', 'mariadb') }] },
        test: { name: 'aws-prisma', include: ['suite/prisma-*.ts'] },
      },
    ],
  },
});

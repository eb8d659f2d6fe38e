import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './scripts/slowest-first.js';

// Workspace packages are tested from their sources, without a build.
export const conditions = ['@rds-iam/source'];

export const resolveFrom = (owner: string, specifier: string) =>
  createRequire(new URL(`./packages/${owner}/package.json`, import.meta.url)).resolve(specifier);

/** In place of a driver, the other end of its peer range, which a package has under its name with `-oldest` behind it. */
function oldest(owner: string, driver: string, subpath = '') {
  return {
    find: new RegExp(`^${driver}${subpath}$`),
    replacement: resolveFrom(owner, `${driver}-oldest${subpath}`),
  };
}

/** The same for all files in a folder of a package. */
function oldestFolder(owner: string, name: string, folder: string) {
  const manifest = resolveFrom(owner, `${name}-oldest/package.json`);
  return { find: new RegExp(`^${name}/${folder}/`), replacement: join(dirname(manifest), folder, '/') };
}

/** The test files of a driver's package that do not start processes of their own, which know nothing of an alias. */
const inProcess = (owner: string) =>
  ['conformance', 'login', 'bad-input', 'safety'].map((name) => `packages/${owner}/test/${name}.test.ts`);

const builtSetup = './test/servers/src/vitest-built.ts';
const waitUntilBuilt = './test/servers/src/wait-until-built.ts';
const consumersSetup = './test/consumers/src/vitest-projects.ts';
const waitUntilInstalled = './test/consumers/src/wait-until-installed.ts';
const mysqlSetup = './test/servers/src/vitest-mysql.ts';
const commandLineSetup = './packages/cli/test/vitest-bundle.ts';
const soak = 'test/faults/test/soak.test.ts';
const mysqlTests = [
  'packages/{mysql2,typeorm,knex,sequelize,redis,cli}/test/**/*.test.ts',
  'packages/{emulator,proxy}/test/mysql/**/*.test.ts',
  'test/{recipes,mikro-orm-7}/test/**/*.test.ts',
  'test/faults/test/**/*.test.ts',
];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ['default', './scripts/shares-reporter.ts'],
    globalSetup: ['./test/servers/src/vitest-templates.ts', './test/servers/src/vitest-setup.ts'],
    // The tests wait for servers a third of their time: three files at a time keep two cores busy.
    maxWorkers: 3,
    // A process for each file would load the drivers and frameworks two hundred times.
    isolate: false,
    sequence: { sequencer: SlowestFirst },
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
    // They run in this order: those that wait until something is built are not the first, and the last ones are short.
    projects: [
      // What its process retains is counted, so it has one of its own.
      {
        extends: true,
        test: { name: 'soak', globalSetup: [mysqlSetup], isolate: true, include: [soak] },
      },
      {
        extends: true,
        test: {
          name: 'mysql',
          globalSetup: [mysqlSetup, commandLineSetup],
          include: mysqlTests,
          exclude: ['**/node_modules/**', soak],
        },
      },
      {
        extends: true,
        test: {
          name: 'consumers',
          globalSetup: [mysqlSetup, builtSetup, consumersSetup],
          setupFiles: [waitUntilInstalled],
          include: ['test/consumers/test/**/*.test.ts'],
        },
      },
      // Programs of the documentation, which use the packages as they are published.
      {
        extends: true,
        test: {
          name: 'programs',
          globalSetup: [builtSetup],
          setupFiles: [waitUntilBuilt],
          include: ['test/programs/test/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'all',
          include: ['packages/*/test/**/*.test.ts', 'test/*/test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'packages/prisma/**', 'test/{consumers,programs}/**', ...mysqlTests],
        },
      },
      // As an application has them: one mariadb, the version that Prisma's adapter reads the results of.
      {
        extends: true,
        resolve: { alias: [{ find: /^mariadb$/, replacement: resolveFrom('prisma', 'mariadb') }] },
        test: {
          name: 'prisma',
          globalSetup: [mysqlSetup],
          include: ['packages/prisma/test/**/*.test.ts'],
          exclude: ['**/prisma-6.test.ts'],
        },
      },
      // Prisma 6, whose adapter for MySQL takes no pool. Our copy of pg is another one than the adapter's.
      {
        extends: true,
        resolve: {
          alias: [
            oldest('pg', 'pg'),
            oldest('prisma', '@prisma/adapter-pg'),
            oldest('prisma', '@prisma/adapter-mariadb'),
            oldestFolder('prisma', '@prisma/client', 'runtime'),
          ],
        },
        test: {
          name: 'prisma-oldest',
          env: { PRISMA_PACKAGE: 'prisma-oldest' },
          include: ['packages/prisma/test/{conformance,prisma-6}.test.ts'],
        },
      },
      // The oldest drivers of the peer ranges; the newest are what the drivers' own names are here.
      {
        extends: true,
        resolve: { alias: [oldest('pg', 'pg'), oldest('pg', 'postgres')] },
        // mariadb 3.4 leaves a rejection unhandled where a connection breaks off in its first statement, so there is no
        // scenario for mysql2-oldest.
        test: {
          name: 'pg-oldest',
          include: [
            ...inProcess('pg'),
            'packages/pg/test/scenario.test.ts',
            'packages/pg/test/postgres-js/{conformance,session,bad-input,safety}.test.ts',
          ],
        },
      },
      {
        extends: true,
        resolve: {
          alias: [oldest('mysql2', 'mysql2'), oldest('mysql2', 'mysql2', '/promise'), oldest('mysql2', 'mariadb')],
        },
        test: {
          name: 'mysql2-oldest',
          globalSetup: [mysqlSetup],
          include: [
            ...inProcess('mysql2'),
            'packages/mysql2/test/{compression,exports}.test.ts',
            'packages/mysql2/test/mariadb/*.test.ts',
          ],
        },
      },
      {
        extends: true,
        resolve: { alias: [oldest('typeorm', 'typeorm')] },
        test: { name: 'typeorm-oldest', globalSetup: [mysqlSetup], include: ['packages/typeorm/test/**/*.test.ts'] },
      },
      {
        extends: true,
        resolve: { alias: [oldest('knex', 'knex')] },
        test: { name: 'knex-oldest', globalSetup: [mysqlSetup], include: inProcess('knex') },
      },
      // Sequelize 7 loads the newest drivers all the while: it is given those of another copy.
      {
        extends: true,
        resolve: {
          alias: [
            oldest('sequelize', 'sequelize'),
            oldest('pg', 'pg'),
            oldest('mysql2', 'mysql2'),
            oldest('mysql2', 'mariadb'),
          ],
        },
        test: {
          name: 'sequelize-oldest',
          globalSetup: [mysqlSetup],
          include: ['conformance', 'sequelize'].map((name) => `packages/sequelize/test/${name}.test.ts`),
        },
      },
    ],
  },
});

import { isTested, oldestPeers, withRange } from './manifests.js';
import { OTHER_RUNTIMES, RUNTIMES, runtimeAlias } from './runtimes.js';

/** What a project installs in addition to its own package.json: packages as `name` or `name@range`. */
export interface Definition {
  /** Starts with the files of this folder in `projects/`, in place of an empty ES module package. */
  readonly folder?: string;
  readonly ours: readonly string[];
  readonly others?: readonly string[];
  /** Packages that may be missing if they do not exist for this platform. */
  readonly optional?: readonly string[];
}

/** A program with one of our packages and one driver; its dependencies have the names of that package's manifest. */
export interface OneDriver {
  readonly program: string;
  readonly engine: 'postgres' | 'mysql';
  readonly folder: string;
  readonly dependencies: readonly string[];
}

export const ONE_DRIVER: readonly OneDriver[] = [
  { program: 'pg', engine: 'postgres', folder: 'pg', dependencies: ['pg', '@types/pg'] },
  { program: 'typeorm-postgres', engine: 'postgres', folder: 'typeorm', dependencies: ['typeorm', 'pg'] },
  { program: 'knex-postgres', engine: 'postgres', folder: 'knex', dependencies: ['knex', 'pg'] },
  {
    program: 'sequelize-postgres',
    engine: 'postgres',
    folder: 'sequelize',
    dependencies: ['sequelize', 'pg', 'pg-hstore'],
  },
  { program: 'prisma-postgres', engine: 'postgres', folder: 'prisma', dependencies: ['@prisma/adapter-pg', 'pg'] },
  { program: 'mysql2', engine: 'mysql', folder: 'mysql2', dependencies: ['mysql2'] },
  { program: 'mariadb', engine: 'mysql', folder: 'mysql2', dependencies: ['mariadb'] },
  { program: 'typeorm-mysql', engine: 'mysql', folder: 'typeorm', dependencies: ['typeorm', 'mysql2'] },
  { program: 'knex-mysql', engine: 'mysql', folder: 'knex', dependencies: ['knex', 'mysql2'] },
  { program: 'sequelize-mysql', engine: 'mysql', folder: 'sequelize', dependencies: ['sequelize', 'mysql2'] },
  { program: 'prisma-mysql', engine: 'mysql', folder: 'prisma', dependencies: ['@prisma/adapter-mariadb', 'mariadb'] },
];

/**
 * Where the range of a dependency has several parts: the lower end of each that the package's own tests do not have,
 * as `name@version`.
 */
export async function untestedEnds({ folder, dependencies }: OneDriver): Promise<readonly string[]> {
  const ends = await Promise.all(
    dependencies.map(async (dependency) => {
      const versions = await oldestPeers(folder, dependency);
      const tested = await Promise.all(versions.map((version) => isTested(folder, version)));
      return versions.length > 1 ? versions.filter((_, index) => !tested[index]) : [];
    }),
  );
  return ends.flat();
}

/** The peers of each package; if two packages have the same peer, the one with the narrower range. */
const PEERS: readonly (readonly [folder: string, peer: string])[] = [
  ['pg', 'pg'],
  ['pg', '@types/pg'],
  ['pg', 'postgres'],
  ['mysql2', 'mysql2'],
  ['prisma', 'mariadb'],
  ['prisma', '@prisma/adapter-pg'],
  ['prisma', '@prisma/adapter-mariadb'],
  ['typeorm', 'typeorm'],
  ['knex', 'knex'],
  ['sequelize', 'sequelize'],
  ['sequelize', '@sequelize/core'],
  ['redis', 'ioredis'],
  ['redis', 'redis'],
];

const EVERY_PACKAGE = ['core', 'emulator', 'knex', 'mysql2', 'pg', 'prisma', 'redis', 'sequelize', 'typeorm'];

/** The versions in the README: the first with `--moduleResolution bundler`. */
const OLDEST_TYPESCRIPT = '5.0';

const ranges = (folder: string, names: readonly string[]) => Promise.all(names.map((name) => withRange(folder, name)));

/** Every project that a test uses, by its name. */
export async function definitions(): Promise<Readonly<Record<string, Definition>>> {
  const drivers = [...(await ranges('pg', ['pg'])), ...(await ranges('mysql2', ['mysql2']))];
  const both = { ours: ['pg', 'mysql2'], others: drivers };
  const programs = await Promise.all(ONE_DRIVER.map(ofProgram));
  return {
    jest: { folder: 'jest', ...both },
    lambda: { folder: 'lambda', ...both },
    nestjs: { folder: 'nestjs', ours: ['typeorm'], others: await ranges('typeorm', ['typeorm', 'pg', 'mysql2']) },
    drivers: both,
    runtimes: {
      ours: [],
      optional: [
        ...RUNTIMES.map(
          (version) => `${runtimeAlias(version)}@npm:node-${process.platform}-${process.arch}@${version}`,
        ),
        ...OTHER_RUNTIMES.map(({ name }) => name),
      ],
    },
    'oldest-types': {
      folder: 'typescript',
      ours: EVERY_PACKAGE,
      others: [
        ...(await Promise.all(PEERS.map(async ([folder, name]) => (await oldestPeers(folder, name))[0] ?? name))),
        `typescript@${OLDEST_TYPESCRIPT}`,
      ],
    },
    'newest-types': {
      folder: 'typescript',
      ours: EVERY_PACKAGE,
      others: await Promise.all(PEERS.map(([folder, name]) => withRange(folder, name))),
    },
    ...Object.fromEntries(programs.flat()),
  };
}

async function ofProgram(consumer: OneDriver): Promise<readonly (readonly [name: string, Definition])[]> {
  const { program, folder, dependencies } = consumer;
  const others = [...(await ranges(folder, dependencies)), '@types/node@20'];
  const ends = await untestedEnds(consumer);
  return [
    [program, { ours: [folder], others }],
    ...ends.map((end) => [`${program} ${end}`, { ours: [folder], others: [...others, end] }] as const),
  ];
}

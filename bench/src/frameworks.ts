import { type BenchDatabase, startMysqlDatabase, startPostgresDatabase } from './databases.js';
import type { Figure } from './figure.js';
import type { Contender, Framework } from './frameworks/framework.js';
import { knex } from './frameworks/knex.js';
import { prisma } from './frameworks/prisma.js';
import { sequelize } from './frameworks/sequelize.js';
import { typeorm } from './frameworks/typeorm.js';
import { perSecond, ratioOfRates } from './rounds.js';

/** A connection to PostgreSQL is a new server process, and takes as long as five to MySQL. */
const CONNECTIONS_PER_ROUND = { postgres: 40, mysql: 80 } as const;
const AT_A_TIME = 4;
const ROUNDS_OF_CONNECTIONS = 30;
const QUERIES_PER_ROUND = 2_000;
const ROUNDS_OF_QUERIES = 21;

/** The cost of each framework's package, compared with the same framework with a static password on the same server. */
export async function frameworks(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const start of [startPostgresDatabase, startMysqlDatabase]) {
    await using database = await start();
    for (const framework of [typeorm, knex, sequelize, prisma]) figures.push(...(await compare(framework, database)));
  }
  return figures;
}

async function compare(framework: Framework, database: BenchDatabase): Promise<Figure[]> {
  const { engine, iam, ca } = database;
  const count = CONNECTIONS_PER_ROUND[engine];
  const ours = await framework.withIam(database, iam);
  const plain = await framework.withPassword(database, { password: await database.password(), ca });
  try {
    return [
      {
        figure: `${framework.name} on ${engine}: physical connections per second, with IAM to a static password`,
        wanted: { atLeast: 0.95 },
        ...(await ratioOfRates(
          ROUNDS_OF_CONNECTIONS,
          () => connections(ours, count),
          () => connections(plain, count),
        )),
      },
      {
        figure: `${framework.name} on ${engine}: queries per second, with IAM to a static password`,
        wanted: { atLeast: 0.98 },
        ...(await ratioOfRates(
          ROUNDS_OF_QUERIES,
          () => queries(ours),
          () => queries(plain),
        )),
      },
    ];
  } finally {
    await Promise.all([ours.end(), plain.end()]);
  }
}

function connections(contender: Contender, count: number): Promise<number> {
  let left = count;
  const repeat = async () => {
    while (left-- > 0) await contender.openAndClose();
  };
  return perSecond(count, () => Promise.all(Array.from({ length: AT_A_TIME }, repeat)));
}

function queries(contender: Contender): Promise<number> {
  return perSecond(QUERIES_PER_ROUND, async () => {
    for (let count = 0; count < QUERIES_PER_ROUND; count++) await contender.query();
  });
}

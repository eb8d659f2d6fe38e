import { type BenchDatabase, startMysqlDatabase, startPostgresDatabase } from './databases.js';
import type { Figure } from './figure.js';
import type { Contender, Framework } from './frameworks/framework.js';
import { knex } from './frameworks/knex.js';
import { prisma } from './frameworks/prisma.js';
import { sequelize } from './frameworks/sequelize.js';
import { typeorm } from './frameworks/typeorm.js';
import { perSecond, ratioOfRates } from './rounds.js';

const CONNECTIONS_PER_ROUND = 40;
const AT_A_TIME = 4;
const ROUNDS_OF_CONNECTIONS = 30;
const QUERIES_PER_ROUND = 500;
const ROUNDS_OF_QUERIES = 21;

/** What each framework's package costs, beside the same framework with a static password on the same server. */
export async function frameworks(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const start of [startPostgresDatabase, startMysqlDatabase]) {
    await using database = await start();
    for (const framework of [typeorm, knex, sequelize, prisma]) figures.push(...(await compare(framework, database)));
  }
  return figures;
}

async function compare(framework: Framework, database: BenchDatabase): Promise<Figure[]> {
  const { engine, iam, password, ca } = database;
  const ours = await framework.withIam(database, iam);
  const plain = await framework.withPassword(database, { password, ca });
  try {
    return [
      {
        figure: `${framework.name} on ${engine}: physical connections per second, with IAM to a static password`,
        wanted: { atLeast: 0.95 },
        ...(await ratioOfRates(
          ROUNDS_OF_CONNECTIONS,
          () => connections(ours),
          () => connections(plain),
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

function connections(contender: Contender): Promise<number> {
  let left = CONNECTIONS_PER_ROUND;
  const repeat = async () => {
    while (left-- > 0) await contender.openAndClose();
  };
  return perSecond(CONNECTIONS_PER_ROUND, () => Promise.all(Array.from({ length: AT_A_TIME }, repeat)));
}

function queries(contender: Contender): Promise<number> {
  return perSecond(QUERIES_PER_ROUND, async () => {
    for (let count = 0; count < QUERIES_PER_ROUND; count++) await contender.query();
  });
}

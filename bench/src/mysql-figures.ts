import type { Connection as CallbackConnection } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { Figure } from './figure.js';
import { type MysqlBench, startMysqlBench } from './mysql.js';
import { perSecond, ratioOfRates } from './rounds.js';

const POOL_SIZE = 4;
const CONNECTIONS_PER_ROUND = 160;
const QUERIES_PER_ROUND = 10_000;
const ROWS_PER_ROUND = 20_000;
const LARGE_RESULT_MB = 500;

/** The cost of our MySQL package and of the emulator, each compared with the plain driver in the same run. */
export async function mysqlFigures(): Promise<Figure[]> {
  await using bench = await startMysqlBench(POOL_SIZE);
  return [
    {
      figure: "MySQL: physical connections per second, our pool to mysql2's",
      wanted: { atLeast: 0.95 },
      ...(await compare(50, bench.ours, bench.plain, openAndClose)),
    },
    {
      figure: "MySQL: queries per second on a pooled connection, ours to mysql2's",
      wanted: { atLeast: 0.98 },
      ...(await compare(11, bench.ours, bench.plain, selectOne)),
    },
    {
      figure: 'MySQL: rows of 1 kB per second, through the emulator to direct',
      wanted: { atLeast: 0.5 },
      ...(await compare(11, bench.plain, bench.direct, readRows)),
    },
    await memoryOfLargeResult(bench),
  ];
}

async function compare(rounds: number, first: () => Pool, second: () => Pool, work: (pool: Pool) => Promise<number>) {
  const pools = [first(), second()] as const;
  const [ours, other] = pools;
  const ratio = await ratioOfRates(
    rounds,
    () => work(ours),
    () => work(other),
  );
  await Promise.all(pools.map((pool) => pool.end()));
  return ratio;
}

function openAndClose(pool: Pool): Promise<number> {
  let left = CONNECTIONS_PER_ROUND;
  const repeat = async () => {
    while (left-- > 0) (await pool.getConnection()).destroy();
  };
  return perSecond(CONNECTIONS_PER_ROUND, () => Promise.all(Array.from({ length: POOL_SIZE }, repeat)));
}

async function selectOne(pool: Pool): Promise<number> {
  const connection = await pool.getConnection();
  const rate = await perSecond(QUERIES_PER_ROUND, async () => {
    for (let count = 0; count < QUERIES_PER_ROUND; count++) await connection.query('select 1');
  });
  connection.release();
  return rate;
}

async function readRows(pool: Pool): Promise<number> {
  const connection = await pool.getConnection();
  const rate = await perSecond(ROWS_PER_ROUND, () =>
    drain(connection, `select repeat('x', 1000) as x from seq_1_to_${ROWS_PER_ROUND}`),
  );
  connection.release();
  return rate;
}

async function memoryOfLargeResult(bench: MysqlBench): Promise<Figure> {
  const pool = bench.plain();
  const connection = await pool.getConnection();
  const before = await bench.emulatorPeakRssBytes();
  const read = await drain(connection, `select repeat('x', 1000000) as x from seq_1_to_${LARGE_RESULT_MB}`);
  const growth = (await bench.emulatorPeakRssBytes()) - before;
  connection.release();
  await pool.end();
  return {
    figure: `MySQL: peak memory of the emulator over a result of ${LARGE_RESULT_MB} MB`,
    measured: growth / 2 ** 20,
    unit: 'MB',
    wanted: { below: 64 },
    beside: `${read} rows read`,
  };
}

/** Reads a result row by row, keeping none. */
async function drain(connection: PoolConnection, sql: string): Promise<number> {
  let rows = 0;
  // Whatever its types say, mysql2/promise wraps a connection with callbacks, and only that one can stream.
  const { connection: callbacks } = connection as unknown as { connection: CallbackConnection };
  for await (const _ of callbacks.query(sql).stream()) rows++;
  return rows;
}

import { mkdir, writeFile } from 'node:fs/promises';
import { type Figure, formatNumber } from './figure.js';
import { chart, type Panel } from './storm/chart.js';
import { type Run, run } from './storm/run.js';
import { perSecond } from './storm/series.js';
import { type Limit, type LimitedServer, startLimitedServer } from './storm/server.js';
import { sparkline } from './storm/sparkline.js';

/** How many logins the server admits per second: far fewer than this machine, with all clients and the server, could do. */
const LIMIT = 20;
const WANTED = 10 * LIMIT;
/** How many processes of a fleet share the limit. */
const FLEET = 8;
const OTHER_LIMITS: readonly (readonly [name: string, limit: Limit])[] = [
  ['new tokens counted', { action: 'deny', counting: 'new-tokens' }],
  ['resets', { action: 'reset', counting: 'logins' }],
  ['resets, new tokens counted', { action: 'reset', counting: 'new-tokens' }],
];
const RESULTS = new URL('../results/', import.meta.url);

/** Ten times as many connections requested at once as a server admits in a second: who gets them, how soon, at what cost. */
export async function storm(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const panels: Panel[] = [];
  for (const engine of ['postgres', 'mysql'] as const) {
    await using server = await startLimitedServer(engine, LIMIT);
    const runs = await contend(server);
    figures.push(...figuresOf(engine, runs));
    panels.push(...drawn(engine, runs));
  }
  print(panels);
  await save(panels);
  return figures;
}

interface Runs {
  /** Without a limit, to show what the machine can do. */
  readonly unlimited: Run;
  readonly known: Run;
  readonly unknown: Run;
  readonly fleet: Run;
  /** Ten and twenty times the limit, each in a process that has never logged in. */
  readonly fresh: Run;
  readonly manyFresh: Run;
  /** Like `fresh`, with servers that throttle in other ways. */
  readonly freshElsewhere: readonly (readonly [server: string, run: Run])[];
  readonly bare: Run;
  readonly wrapper: Run;
}

async function contend(server: LimitedServer): Promise<Runs> {
  return {
    unlimited: await run(server, WANTED, { contender: 'bare', limit: 'none' }),
    known: await run(server, WANTED, { contender: 'oursKnowing' }),
    unknown: await run(server, WANTED, { contender: 'oursUnknowing' }),
    fleet: await run(server, WANTED, { contender: 'oursSharing', processes: FLEET }),
    fresh: await run(server, WANTED, { contender: 'oursFresh' }),
    manyFresh: await run(server, 2 * WANTED, { contender: 'oursFresh', deadlineMs: 60_000 }),
    freshElsewhere: await freshElsewhere(server),
    bare: await run(server, WANTED, { contender: 'bare' }),
    wrapper: await run(server, WANTED, { contender: 'awsWrapper' }),
  };
}

async function freshElsewhere(server: LimitedServer): Promise<Runs['freshElsewhere']> {
  const runs: [string, Run][] = [];
  for (const [name, limit] of OTHER_LIMITS) {
    runs.push([name, await run(server, WANTED, { contender: 'oursFresh', limit })]);
  }
  return runs;
}

const driverOf = { postgres: 'pg', mysql: 'mysql2' } as const;

function figuresOf(engine: 'postgres' | 'mysql', runs: Runs): Figure[] {
  const { unlimited, known, unknown, fleet, fresh, manyFresh, freshElsewhere, bare, wrapper } = runs;
  const others = (what: (run: Run) => string) =>
    `${driverOf[engine]}'s pool and a bare signer ${what(bare)}, AWS's wrapper ${what(wrapper)}`;
  const machine = `without a limit this machine opens ${formatNumber(perSecondOf(unlimited))}/s`;
  const storm = `storm on ${engine}`;
  return [
    failed(`${storm}, limit known`, known, others(failures)),
    slowness(`${storm}, limit known`, known, 1.15, machine),
    cost(`${storm}, limit known`, known, 1.02, others(attempts)),
    failed(`${storm}, limit unknown`, unknown, others(failures)),
    slowness(`${storm}, limit unknown`, unknown, 1.4, machine),
    cost(`${storm}, limit unknown`, unknown, 1.5, others(attempts)),
    failed(`${storm}, ${FLEET} processes sharing Redis`, fleet, `${formatNumber(fleet.durationMs / 1_000)} s`),
    {
      figure: `${storm}, ${FLEET} processes sharing Redis: logins in the busiest second, to the limit`,
      measured: fleet.busiestSecond / LIMIT,
      unit: '×',
      wanted: { atMost: 1.05 },
      beside: others(({ busiestSecond }) => `${busiestSecond}/s`),
    },
    ...[['', fresh] as const, ...freshElsewhere.map(([name, run]) => [`, ${name}`, run] as const)].flatMap(
      ([name, run]) => [
        failed(`${storm}, ${run.wanted} fresh clients${name}`, run, others(failures)),
        slowness(`${storm}, ${run.wanted} fresh clients${name}`, run, 2, machine),
        cost(`${storm}, ${run.wanted} fresh clients${name}`, run, 5, others(attempts)),
      ],
    ),
    failed(`${storm}, ${manyFresh.wanted} fresh clients within 60 s`, manyFresh, machine),
  ];
}

function failed(name: string, run: Run, beside: string): Figure {
  const measured = run.wanted - run.opened;
  return { figure: `${name}: connections that failed`, measured, unit: '', wanted: { exactly: 0 }, beside };
}

function slowness(name: string, run: Run, atMost: number, beside: string): Figure {
  return {
    figure: `${name}: time, to that of the limit`,
    measured: run.durationMs / ((run.wanted / LIMIT) * 1_000),
    unit: '×',
    wanted: { atMost },
    beside: `${formatNumber(run.durationMs / 1_000)} s; ${beside}`,
  };
}

function cost(name: string, run: Run, atMost: number, beside: string): Figure {
  const measured = run.attempts / run.wanted;
  return { figure: `${name}: logins per connection`, measured, unit: '', wanted: { atMost }, beside };
}

const failures = ({ wanted, opened }: Run) => `${wanted - opened} of ${wanted}`;
const attempts = (run: Run) => `${run.attempts} logins for ${run.opened}`;
const perSecondOf = ({ opened, durationMs }: Run) => (opened * 1_000) / durationMs;

function drawn(engine: 'postgres' | 'mysql', { known, unknown, fleet, fresh, bare, wrapper }: Runs): Panel[] {
  const column = engine === 'mysql' ? 'MySQL' : 'PostgreSQL';
  return [
    { row: 'rds-iam, limit known', column, run: known },
    { row: 'rds-iam, limit unknown', column, run: unknown },
    { row: `rds-iam, ${FLEET} processes sharing Redis`, column, run: fleet },
    { row: `rds-iam, ${fresh.wanted} fresh clients`, column, run: fresh },
    { row: `the driver's own pool, bare signer`, column, run: bare },
    { row: 'aws-advanced-nodejs-wrapper, IAM plugin', column, run: wrapper },
  ];
}

function print(panels: readonly Panel[]): void {
  const width = Math.max(...panels.map(({ row, column }) => row.length + column.length)) + 2;
  const lines = panels.map(({ row, column, run }) => {
    const seconds = perSecond(run.per100Ms);
    const admitted = sparkline(seconds, LIMIT, 'admitted').padEnd(20);
    return `${`${column}: ${row}`.padEnd(width)}  ${admitted}  ${sparkline(seconds, LIMIT, 'refused')}`;
  });
  const title = `Logins each second, of which the server admits ${LIMIT} (▄)`;
  process.stdout.write(`\n${title.padEnd(width)}  ${'admitted'.padEnd(20)}  refused\n${lines.join('\n')}\n`);
}

async function save(panels: readonly Panel[]): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const storms = panels.map(({ row, column, run }) => ({ contender: row, engine: column, ...run }));
  const report = { at: new Date().toISOString(), node: process.version, connectionsPerSecond: LIMIT, storms };
  await writeFile(new URL('storm.json', RESULTS), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(new URL('storm.svg', RESULTS), chart(panels, LIMIT));
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Series, seriesOf } from './series.js';
import { type Limit, type LimitedServer, REFUSING_ALL } from './server.js';
import type { Outcome, Storm } from './storm.js';

/** A finished storm: what the contender's users saw, and what the server's log says. */
export interface Run extends Series, Outcome {
  readonly wanted: number;
}

interface Entry extends Pick<Storm, 'contender'> {
  readonly processes?: number;
  readonly limit?: Limit | 'none';
  readonly deadlineMs?: number;
}

/** Starts one or several processes of a contender against a server at the same moment; each gets its share of the connections. */
export async function run(
  server: LimitedServer,
  wanted: number,
  { contender, processes = 1, limit = REFUSING_ALL, deadlineMs = 30_000 }: Entry,
): Promise<Run> {
  const { engine, host, port, ca, user, database, connectionsPerSecond, redisUrl } = server;
  const started = Array.from({ length: processes }, () => startProcess());
  try {
    const share = { contender, wanted: wanted / processes, processes, deadlineMs };
    const storm: Storm = { ...share, engine, host, port, ca, user, database, connectionsPerSecond, redisUrl };
    for (const one of started) one.send(storm);
    await Promise.all(started.map((one) => answer<'ready'>(one)));
    await server.beginLog(limit);
    const startedAtMs = Date.now();
    const outcomes = started.map((one) => answer<Outcome>(one));
    for (const one of started) one.send('go');
    const all = await Promise.all(outcomes);
    return { wanted, ...together(all), ...seriesOf(await server.log(), startedAtMs) };
  } finally {
    await Promise.all(started.map(end));
    await server.allClosed();
  }
}

function startProcess(): ChildProcess {
  // The contenders' console output is not for this terminal.
  return fork(new URL('./process.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function answer<T>(one: ChildProcess): Promise<T> {
  const ended = new AbortController();
  one.once('exit', () => ended.abort(new Error(`the process of a contender ended with ${one.exitCode}`)));
  return ((await once(one, 'message', { signal: ended.signal })) as [T])[0];
}

async function end(one: ChildProcess): Promise<void> {
  if (one.exitCode !== null || !one.connected) return;
  one.disconnect();
  await once(one, 'exit');
}

function together(outcomes: readonly Outcome[]): Outcome {
  const failures: Record<string, number> = {};
  for (const [message, count] of outcomes.flatMap((outcome) => Object.entries(outcome.failures))) {
    failures[message] = (failures[message] ?? 0) + count;
  }
  return {
    opened: outcomes.reduce((sum, { opened }) => sum + opened, 0),
    failures,
    durationMs: Math.max(...outcomes.map(({ durationMs }) => durationMs)),
  };
}

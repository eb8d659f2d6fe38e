import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { createRdsIam, Pool } from '@rds-iam/pg';
import { CREDENTIALS as credentials, startPostgres } from '@rds-iam/test-servers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { blocksOf } from '../src/markdown.js';
import { root } from '../src/rds.js';

const folder = join(root, 'test/programs/generated/observability');
const spans = new InMemorySpanExporter();
const exported = new InMemoryMetricExporter(AggregationTemporality.DELTA);
const tracing = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const metering = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: exported })] });
let server: Awaited<ReturnType<typeof startPostgres>>;
let emulator: Emulator;

/** The page's own code, unchanged. */
beforeAll(async () => {
  const block = blocksOf('docs/observability.md').find(({ words }) => words.includes('rds-iam-telemetry.ts'));
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'rds-iam-telemetry.ts');
  writeFileSync(file, block?.code ?? '');
  tracing.register();
  metrics.setGlobalMeterProvider(metering);
  const { observeRdsIam } = await import(pathToFileURL(file).href);
  observeRdsIam();
  server = await startPostgres();
  emulator = await startEmulator({
    upstream: { hostname: server.hostname, port: server.port, username: 'postgres' },
    region: 'eu-west-1',
    accessKeys: [credentials],
  });
});
afterAll(async () => {
  await emulator?.close();
  await server?.close();
  await Promise.all([tracing.shutdown(), metering.shutdown()]);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await metering.forceFlush();
  spans.reset();
  exported.reset();
  emulator.setFaults({});
});

function makePool(retry = {}): Pool {
  const iam = createRdsIam({ region: 'eu-west-1', credentials, ca: emulator.ca, retry });
  return new Pool({ host: emulator.hostname, port: emulator.port, user: 'app', database: 'postgres', iam });
}

/** Sums and histogram counts, by name and attributes. */
async function measured(): Promise<Record<string, [attributes: object, count: number][]>> {
  await metering.forceFlush();
  const all = exported.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return Object.fromEntries(
    all.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ attributes, value }): [object, number] => [
        attributes,
        typeof value === 'number' ? value : value.count,
      ]),
    ]),
  );
}

const place = () => ({ 'server.address': 'localhost', 'server.port': emulator.port });

test('a login is a span below the request that needed it, and is measured', async () => {
  const pool = makePool();
  await trace.getTracer('test').startActiveSpan('request', async (request) => {
    await pool.query('select 1');
    request.end();
  });
  await pool.end();
  const finished = spans.getFinishedSpans();
  expect(finished.map(({ name }) => name)).toEqual(['rds-iam sign', 'rds-iam connect', 'request']);
  const request = finished[2]?.spanContext();
  for (const each of finished.slice(0, 2)) {
    expect(each.parentSpanContext?.spanId).toBe(request?.spanId);
    expect(each.attributes).toEqual(place());
    expect(each.status.code).toBe(SpanStatusCode.UNSET);
  }
  expect(await measured()).toEqual({
    'rds_iam.tokens_signed': [[{ ...place(), background: false }, 1]],
    'rds_iam.admission.wait_time': [[place(), 1]],
    'db.client.connection.create_time': [[place(), 1]],
  });
});

test('a login that was given up is a span with its error, and each of its attempts is counted', async () => {
  emulator.setFaults({ revokedAccessKeys: [credentials.accessKeyId] });
  const pool = makePool({ baseDelayMs: 1, maxDelayMs: 1, patienceMs: 0 });
  await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
  await pool.end();
  const failed = spans.getFinishedSpans().filter(({ name }) => name === 'rds-iam connect');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'ERR_RDS_IAM_REFUSED' });
  expect(failed[0]?.events.map(({ name }) => name)).toEqual(['exception']);
  expect(JSON.stringify(failed[0]?.events)).not.toContain('X-Amz-Signature=');
  const refused = { ...place(), 'error.type': 'ERR_RDS_IAM_REFUSED' };
  expect(await measured()).toMatchObject({
    'rds_iam.attempts_failed': [[refused, 1]],
    'db.client.connection.create_time': [[refused, 1]],
  });
});

test('throttled logins are counted as such, and so is the slowdown', async () => {
  const pool = makePool({ baseDelayMs: 1 });
  await pool.query('select 1');
  emulator.setFaults({ throttle: { connectionsPerSecond: 2, action: 'deny', counting: 'logins' } });
  await Promise.all(Array.from({ length: 8 }, () => pool.query('select pg_sleep(0.5)')));
  await pool.end();
  const { 'rds_iam.attempts_failed': failures = [], 'rds_iam.admission.slowed': slowed = [] } = await measured();
  expect(failures.map(([attributes]) => attributes)).toEqual([{ ...place(), 'error.type': 'ERR_RDS_IAM_THROTTLED' }]);
  expect(slowed[0]?.[1]).toBeGreaterThan(0);
});

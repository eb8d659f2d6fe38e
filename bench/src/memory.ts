import { createRdsIam } from '@rds-iam/core';
import { type Figure, formatNumber } from './figure.js';
import { CREDENTIALS } from './login.js';

const ENDPOINTS = 1_000;
const CALLS = 1_000_000;

/** How much the heap grows once every endpoint has its token and further calls only read it. */
export async function memory(): Promise<Figure[]> {
  const iam = createRdsIam({ credentials: CREDENTIALS });
  const callEachEndpoint = async () => {
    for (let i = 0; i < ENDPOINTS; i++) {
      await iam.getToken({ hostname: `db${i}.abc123def456.eu-west-1.rds.amazonaws.com`, port: 5432, username: 'app' });
    }
  };
  const before = heapUsedMb();
  await callEachEndpoint();
  const afterFirst = heapUsedMb();
  for (let calls = ENDPOINTS; calls < CALLS; calls += ENDPOINTS) await callEachEndpoint();
  return [
    {
      figure: `heap growth over a million calls for ${formatNumber(ENDPOINTS)} endpoints`,
      measured: heapUsedMb() - afterFirst,
      unit: 'MB',
      wanted: { below: 5 },
      beside: `the first ${formatNumber(ENDPOINTS)} calls take ${formatNumber(afterFirst - before)} MB`,
    },
  ];
}

function heapUsedMb(): number {
  if (!global.gc) throw new Error('the heap can only be measured with node --expose-gc');
  global.gc();
  return process.memoryUsage().heapUsed / 1e6;
}

import { Signer } from '@aws-sdk/rds-signer';
import { createRdsIam } from '@rds-iam/core';
import { type Figure, formatNumber } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';
import { median } from './statistics.js';

const BATCHES = 300;
const CACHED_CALLS = 1_000;
const SIGNINGS = 10;

/** `getToken` with the token in memory, and the bare signer, in alternating batches of sequential calls. */
export async function cachedToken(): Promise<Figure[]> {
  const iam = createRdsIam({ credentials: CREDENTIALS });
  const cached: number[] = [];
  const signed: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    cached.push(await nsPerCall(CACHED_CALLS, () => iam.getToken(ENDPOINT)));
    signed.push(
      await nsPerCall(SIGNINGS, () =>
        new Signer({ ...ENDPOINT, region: REGION, credentials: CREDENTIALS }).getAuthToken(),
      ),
    );
  }
  const cachedNs = median(cached);
  const signedNs = median(signed);
  return [
    {
      figure: 'getToken from the cache',
      measured: cachedNs,
      unit: 'ns',
      wanted: { below: 3_000 },
      beside: `median of ${BATCHES} batches`,
    },
    {
      figure: 'getToken from the cache, times as fast as the bare signer',
      measured: signedNs / cachedNs,
      unit: '×',
      wanted: { atLeast: 50 },
      beside: `bare signer ${formatNumber(signedNs)} ns`,
    },
  ];
}

async function nsPerCall(calls: number, call: () => Promise<unknown>): Promise<number> {
  const startedAt = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) await call();
  return Number(process.hrtime.bigint() - startedAt) / calls;
}

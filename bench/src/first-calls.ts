import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Signer } from '@aws-sdk/rds-signer';
import { type AwsCredentialIdentity, createRdsIam } from '@rds-iam/core';
import { type Figure, formatNumber } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';

const CALLS = 10_000;
/** Less than a token's life: the bare signer then asks its provider a second time, for credentials that last longer. */
const CREDENTIALS_LEFT_MS = 10 * 60_000;

interface Stampede {
  readonly signings: number;
  readonly providerCalls: number;
  readonly durationMs: number;
}

/** Ten thousand callers at once for the first token of one endpoint, as when a process starts under load. */
export async function firstCalls(): Promise<Figure[]> {
  const ours = await stampedeOnOurs();
  const bare = await stampedeOnSigner();
  const times = `ours in ${formatNumber(ours.durationMs)} ms, bare signer in ${formatNumber(bare.durationMs)} ms`;
  return [
    {
      figure: `signings for ${formatNumber(CALLS)} first calls at once`,
      measured: ours.signings,
      unit: '',
      wanted: { exactly: 1 },
      beside: `bare signer ${formatNumber(bare.signings)}; ${times}`,
    },
    {
      figure: `credentials calls for ${formatNumber(CALLS)} first calls at once`,
      measured: ours.providerCalls,
      unit: '',
      wanted: { exactly: 1 },
      beside: `bare signer ${formatNumber(bare.providerCalls)}`,
    },
  ];
}

async function stampedeOnOurs(): Promise<Stampede> {
  const provider = countingProvider();
  const iam = createRdsIam({ credentials: provider.credentials });
  let signings = 0;
  const count = () => {
    signings++;
  };
  subscribe('rds-iam:token:signed', count);
  const durationMs = await allAtOnce(() => iam.getToken(ENDPOINT));
  unsubscribe('rds-iam:token:signed', count);
  return { signings, providerCalls: provider.calls(), durationMs };
}

async function stampedeOnSigner(): Promise<Stampede> {
  const provider = countingProvider();
  const signer = new Signer({ ...ENDPOINT, region: REGION, credentials: provider.credentials });
  // The signer caches nothing: each call signs.
  let signings = 0;
  const durationMs = await allAtOnce(async () => {
    await signer.getAuthToken();
    signings++;
  });
  return { signings, providerCalls: provider.calls(), durationMs };
}

function countingProvider() {
  const expiration = new Date(Date.now() + CREDENTIALS_LEFT_MS);
  let calls = 0;
  return {
    calls: () => calls,
    async credentials(): Promise<AwsCredentialIdentity> {
      calls++;
      return { ...CREDENTIALS, sessionToken: 'session', expiration };
    },
  };
}

async function allAtOnce(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: CALLS }, call));
  return performance.now() - startedAt;
}

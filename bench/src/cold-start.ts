import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Figure, formatNumber } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';
import { median, pairRatios, quantile } from './statistics.js';

const PAIRS = 41;

/** From the start of a process to its first token, with credentials from the environment. */
export async function coldStart(): Promise<Figure[]> {
  const scripts = { ours: 'cold-start/ours.mjs', bare: 'cold-start/bare.mjs' } as const;
  const times = { ours: [] as number[], bare: [] as number[] };
  // The first start of each brings the files into the system's cache.
  for (const script of Object.values(scripts)) await msToFirstToken(script);
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const one of pair % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)) {
      times[one].push(await msToFirstToken(scripts[one]));
    }
  }
  const ratios = pairRatios(times.ours, times.bare);
  const [low, high] = [quantile(ratios, 0.25), quantile(ratios, 0.75)].map(formatNumber);
  return [
    {
      figure: 'process start to first token, ours to the bare signer',
      measured: median(ratios),
      unit: '×',
      wanted: { atMost: 1.1 },
      beside: `${formatNumber(median(times.ours))} ms to ${formatNumber(median(times.bare))} ms; middle half of ${PAIRS} pairs ${low} to ${high}`,
    },
  ];
}

async function msToFirstToken(script: string): Promise<number> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const startedAt = performance.now();
  const child = spawn(process.execPath, [path], {
    // Nothing of this process's environment: neither its Node options nor AWS settings of the machine.
    env: {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      BENCH_HOSTNAME: ENDPOINT.hostname,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let msToToken = Number.NaN;
  child.stdout.once('data', () => {
    msToToken = performance.now() - startedAt;
  });
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0 || Number.isNaN(msToToken)) throw new Error(`${script} gave no token (exit code ${exitCode})`);
  return msToToken;
}

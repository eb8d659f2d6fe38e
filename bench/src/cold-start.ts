import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';
import { ratioOfTimes } from './rounds.js';

const PAIRS = 41;

/** From the start of a process to its first token, with credentials from the environment. */
export async function coldStart(): Promise<Figure[]> {
  return [
    {
      figure: 'process start to first token, ours to the bare signer',
      wanted: { atMost: 1.1 },
      ...(await ratioOfTimes(
        PAIRS,
        () => msToFirstToken('cold-start/ours.mjs'),
        () => msToFirstToken('cold-start/bare.mjs'),
      )),
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

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Figure } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';
import { ratioOfTimes } from './rounds.js';

const run = promisify(execFile);
const PAIRS = 41;
/** By its path: as a dependency, its command would be missing at each installation, which comes before the build. */
const TOOL = fileURLToPath(new URL('../../packages/cli/dist/cjs/bin.js', import.meta.url));
const BARE_SIGNER = fileURLToPath(new URL('./cold-start/token-signer.mjs', import.meta.url));

/** Whole runs of the command line tool, from the start of a process to its end. */
export async function commandLine(): Promise<Figure[]> {
  const { hostname, port, username } = ENDPOINT;
  return [
    {
      figure: 'rds-iam --help, whole runs, to node -e 0',
      wanted: { below: 1.5 },
      ...(await ratioOfTimes(
        PAIRS,
        () => msOf([TOOL, '--help'], /Usage: rds-iam/),
        () => msOf(['-e', '0'], /^$/),
      )),
    },
    {
      figure: 'rds-iam token, whole runs, to the bare signer',
      wanted: { below: 1.3 },
      ...(await ratioOfTimes(
        PAIRS,
        () =>
          msOf(
            [TOOL, 'token', ...['--hostname', hostname, '--port', String(port), '--username', username]],
            /X-Amz-Signature=/,
          ),
        () => msOf([BARE_SIGNER], /X-Amz-Signature=/),
      )),
    },
  ];
}

/** How long a process takes until it has printed the expected output. */
async function msOf(args: readonly string[], said: RegExp): Promise<number> {
  const startedAt = performance.now();
  const { stdout } = await run(process.execPath, args, {
    // Without this process's environment: neither its Node options nor the machine's AWS settings.
    env: {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      BENCH_HOSTNAME: ENDPOINT.hostname,
    },
  });
  const ms = performance.now() - startedAt;
  if (!said.test(stdout)) throw new Error(`node ${args.join(' ')} did not say ${said}`);
  return ms;
}

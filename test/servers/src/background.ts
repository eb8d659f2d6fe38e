import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** What is made while tests run that do not need it. */
export interface InBackground {
  /** A file that tells other processes of the end: see {@link whenMade}. */
  readonly marker: string;
  /** Waits until nothing is being made any more, and removes the marker. Never rejects. */
  end(): Promise<void>;
}

const POLL_MS = 100;

/** Begins to make something that some test files wait for, with {@link whenMade}. A failure is theirs to report. */
export function makeInBackground(make: () => Promise<unknown>): InBackground {
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-made-'));
  const marker = join(folder, 'marker');
  const tell = (error: string) => {
    writeFileSync(`${marker}.part`, error);
    renameSync(`${marker}.part`, marker);
  };
  const made = make().then(
    () => tell(''),
    (error: unknown) => tell(error instanceof Error && error.stack ? error.stack : String(error)),
  );
  return {
    marker,
    async end() {
      await made;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until what has this marker is made. @throws Error if that failed */
export async function whenMade(marker: string): Promise<void> {
  while (!existsSync(marker)) await pause(POLL_MS);
  const error = readFileSync(marker, 'utf8');
  if (error !== '') throw new Error(error);
}

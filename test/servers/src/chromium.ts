import { type Browser, chromium } from 'playwright-core';
import { findOrInstall } from './binaries.js';

// None of the background requests with which a browser begins: they would only be refused.
const QUIET = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A real Chromium without a window: this machine's, else Debian's. */
export async function startChromium(): Promise<Browser> {
  const executablePath = await findOrInstall({
    name: 'Chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome'],
    packages: ['chromium'],
  });
  // As root, and in containers, Chromium has no sandbox of its own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...QUIET] });
}

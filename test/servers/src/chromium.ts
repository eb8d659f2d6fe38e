import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { findOrInstall } from './binaries.js';

// Without a browser's usual background requests, which would only be refused.
const QUIET = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A real Chromium without a window: this machine's, or else Debian's. */
export async function startChromium(): Promise<Browser> {
  const executablePath = await findOrInstall({
    name: 'Chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome'],
    packages: ['chromium'],
  });
  // As root, and in containers, Chromium has no sandbox of its own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...QUIET] });
}

/** An open page. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Its console output, and errors in its scripts. */
  readonly problems: readonly string[];
  /** Requests to other origins. */
  readonly elsewhere: readonly string[];
  /** A screenshot of the whole page. It is kept in the folder named in SCREENSHOTS, for people to look at. */
  screenshot(name: string): Promise<Buffer>;
}

export async function openPage(
  browser: Browser,
  url: string,
  look: { readonly width: number; readonly colorScheme: 'light' | 'dark' },
): Promise<OpenPage> {
  const { width, colorScheme } = look;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const problems: string[] = [];
  const elsewhere: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => problems.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) elsewhere.push(request.url());
  });
  await page.goto(url);
  return {
    ...{ page, problems, elsewhere },
    async screenshot(name) {
      const png = await page.screenshot({ fullPage: true });
      const folder = process.env['SCREENSHOTS'];
      if (folder) writeFileSync(join(folder, `${name}.png`), png);
      return png;
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}

// Checks the built site in a real browser: every page can be reached by links from the front page and has no dead links, the
// search finds pages by their words, and nothing is wider than a phone's screen.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChromium } from '@rds-iam/test-servers/chromium';

const site = process.env['SITE_FOLDER'] ?? fileURLToPath(new URL('dist', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  html: 'text/html',
  js: 'text/javascript',
  svg: 'image/svg+xml',
};
/** Searches, and the heading of a page that must be among the results. */
const SEARCHES = [
  ['maxConnectionsPerSecond', 'Throttling and fleets'],
  ['reserved concurrency', 'Lambda and other serverless platforms'],
  ['RdsIamError', 'RdsIamError'],
] as const;

const server = createServer(({ url = '/' }, response) => {
  const path = normalize(decodeURIComponent(new URL(url, 'http://site').pathname));
  const file = createReadStream(join(site, path === '/' ? 'index.html' : path));
  response.setHeader('content-type', TYPES[/\w+$/.exec(path)?.[0] ?? ''] ?? 'text/html');
  file.on('error', () => response.writeHead(404).end());
  file.pipe(response);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const browser = await startChromium();
const complaints: string[] = [];
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));

  const anchors = new Map<string, ReadonlySet<string>>();
  const wanted = new Map<string, string>([['/index.html', 'the front page']]);
  const targets: { readonly from: string; readonly to: URL }[] = [];
  for (const [path] of wanted) {
    const answer = await page.goto(`${origin}${path}`, { waitUntil: 'domcontentloaded' });
    if (!answer?.ok()) {
      complaints.push(`${wanted.get(path)} leads to ${path}, which is not there`);
      continue;
    }
    const { links, ids } = await page.evaluate(() => ({
      links: [...document.querySelectorAll('main a[href], .col-content a[href]')].map(
        (link) => (link as HTMLAnchorElement).href,
      ),
      ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    }));
    anchors.set(path, new Set(ids));
    for (const link of links) {
      const to = new URL(link);
      if (to.origin !== origin) continue;
      targets.push({ from: path, to });
      if (!wanted.has(to.pathname)) wanted.set(to.pathname, path);
    }
  }
  for (const { from, to } of targets) {
    const anchor = decodeURIComponent(to.hash.slice(1));
    if (anchor !== '' && anchors.get(to.pathname)?.has(anchor) === false) {
      complaints.push(`${from} leads to ${to.pathname}#${anchor}, which that page does not have`);
    }
  }
  const documents = await readdir(join(site, 'documents'));
  for (const name of documents) {
    if (!wanted.has(`/documents/${encodeURIComponent(name).replaceAll('%2C', ',')}`)) {
      complaints.push(`no page leads to ${name}`);
    }
  }

  for (const [words, heading] of SEARCHES) {
    await page.goto(origin);
    await page.locator('#tsd-search-trigger').click();
    await page.locator('#tsd-search-input').fill(words);
    const found = page.locator('#tsd-search-results a', { hasText: heading }).first();
    await found
      .click({ timeout: 20_000 })
      .catch(() => complaints.push(`a search for "${words}" does not find "${heading}"`));
  }

  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ['/index.html', ...documents.map((name) => `/documents/${encodeURIComponent(name)}`)]) {
    await page.goto(`${origin}${path}`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 390) complaints.push(`${path} is ${width} pixels wide on a telephone`);
  }
  process.stdout.write(`The site has ${anchors.size} pages: ${site}\n`);
} finally {
  await browser.close();
  server.close();
}
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
process.exitCode = complaints.length === 0 ? 0 : 1;

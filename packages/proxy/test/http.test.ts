import { type Stack, startStack } from '@rds-iam/conformance';
import { CREDENTIALS, expectNoSecrets } from '@rds-iam/test-servers';
import { openPage, startChromium } from '@rds-iam/test-servers/chromium';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, failure, logIn, startSite, until } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('postgres');
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Text that a client can make up and the page will show. */
const MARKUP = '<img src=x onerror="document.title=1">';

async function startWithHttp(options = {}) {
  const site = await startSite(stack, { http: { port: 0 }, ...options });
  const { address, port } = site.proxy.http ?? { address: '', port: 0 };
  const url = `http://${address}:${port}`;
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  return { ...site, url, get };
}

/** Makes a login, two refusals, and a session that stays open. */
async function liven(site: Awaited<ReturnType<typeof startWithHttp>>): Promise<void> {
  await ask(site.config);
  await failure({ ...site.config, password: 'wrong' });
  await failure({ ...site.config, user: MARKUP });
  await logIn(site.config);
  await until(() => site.events.length === 5);
}

describe('checks', () => {
  test('say that it is running, and whether it accepts more clients', async () => {
    const { proxy, get, config } = await startWithHttp({ maxConnections: 1 });
    for (const path of ['/startup', '/liveness', '/readiness']) {
      expect(await get(path)).toMatchObject({ status: 200, text: 'ready\n' });
    }
    const client = await logIn(config);
    expect(await get('/readiness')).toMatchObject({ status: 503, text: 'full\n' });
    expect(await failure(config)).toMatchObject({ code: '53300' });
    expect(await get('/liveness')).toMatchObject({ status: 200 });
    await client.end();
    await until(() => proxy.stats.connected === 0);
    expect(await get('/readiness')).toMatchObject({ status: 200 });
    await logIn(config);
    void proxy.drain();
    expect(await get('/readiness')).toMatchObject({ status: 503, text: 'draining\n' });
    expect(await get('/startup')).toMatchObject({ status: 200 });
  });

  test('there is nothing else, and nothing can be changed', async () => {
    const { get, url } = await startWithHttp();
    for (const path of ['/constructor', '/__proto__', '/../package.json', '/metrics/x']) {
      expect(await get(path), path).toMatchObject({ status: 404 });
    }
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  });
});

test('metrics for Prometheus', async () => {
  const site = await startWithHttp();
  await liven(site);
  const { text, headers } = await site.get('/metrics');
  expect(headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const endpoint = `endpoint="localhost:${stack.emulator.port}"`;
  for (const line of [
    'rds_iam_proxy_clients_connected 1',
    'rds_iam_proxy_clients_admitted 1',
    `rds_iam_proxy_logins_total{${endpoint},username="${stack.username}"} 2`,
    `rds_iam_proxy_refusals_total{${endpoint},reason="password",code=""} 1`,
    `rds_iam_proxy_refusals_total{${endpoint},reason="user",code=""} 1`,
    `rds_iam_proxy_login_duration_seconds_count{${endpoint}} 2`,
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).toMatch(/rds_iam_proxy_bytes_total\{.*direction="out"\} [1-9]/);
  // A refused client may have made up the name.
  expect(text).not.toContain('onerror');
  expectNoSecrets(text, [CREDENTIALS.secretAccessKey, site.proxy.password ?? '']);
});

describe('the page, in Chromium', () => {
  let browser: Awaited<ReturnType<typeof startChromium>>;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser?.close());

  test.each([
    ['desktop', 1280, 'light'],
    ['phone', 390, 'dark'],
  ] as const)(
    'on a %s it shows the state live, and no secrets',
    { timeout: 60_000 },
    async (name, width, colorScheme) => {
      const site = await startWithHttp();
      await using open = await openPage(browser, site.url, { width, colorScheme });
      const { page } = open;
      await page.getByText('nobody has logged in yet').waitFor();
      // It updates itself without a reload.
      await liven(site);
      await page.getByText(`rds-iam proxy: this port is for the user`).waitFor();
      await page.locator('.tile', { hasText: '2logins' }).waitFor();
      expect(await page.locator('#status').textContent()).toBe('ready');
      const text = await page.locator('body').textContent();
      for (const shown of [stack.username, `localhost:${stack.emulator.port}`, 'old, of 15 min', MARKUP]) {
        expect(text).toContain(shown);
      }
      const tiles = await page.locator('.tile').allTextContents();
      expect(tiles.slice(0, 4)).toEqual([...['1logged in now', '1connected now', '2logins', '2refused']]);
      expect(await page.locator('svg rect.good').count()).toBeGreaterThan(0);
      expect(await page.locator('svg rect.bad').count()).toBeGreaterThan(0);
      expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true);
      expect(await page.title()).toBe('rds-iam proxy');
      expect(await page.locator('img').count()).toBe(0);
      expectNoSecrets(await page.content(), [CREDENTIALS.secretAccessKey, site.proxy.password ?? '']);
      expect(open).toMatchObject({ problems: [], elsewhere: [] });
      expect((await open.screenshot(`proxy-${name}`)).length).toBeGreaterThan(10_000);

      await site.proxy.close();
      await page.getByText('not reachable').waitFor();
    },
  );
});

import { afterEach, expect, test, vi } from 'vitest';
import { mysql } from '../src/engines/mysql.js';
import { createRdsIam } from '../src/rds-iam.js';

afterEach(() => {
  vi.useRealTimers();
});

test('logins work when a test has faked the clock and the timers, as with Sinon and Jest', async () => {
  const iam = createRdsIam({ credentials: { accessKeyId: 'AKID', secretAccessKey: 'SECRET' } });
  const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 3306, username: 'app' };
  const open = () => iam.connect(endpoint, async ({ token }) => token, { engine: mysql });
  await Promise.all(Array.from({ length: 15 }, open));
  vi.useFakeTimers({ now: 0, toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
  const tokens = await Promise.all(Array.from({ length: 15 }, open));
  expect(performance.now()).toBe(0);
  // A token from 1970 would be refused.
  for (const token of tokens) expect(token).toMatch(/X-Amz-Date=20[2-9]\d/);
});

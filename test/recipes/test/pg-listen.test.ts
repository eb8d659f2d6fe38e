import { startStack } from '@rds-iam/conformance';
import { withRdsIam } from '@rds-iam/pg';
import createSubscriber from 'pg-listen';
import { expect, onTestFinished, test, vi } from 'vitest';

test('pg-listen listens, and listens again with a current token when its connection is dropped', async () => {
  await using stack = await startStack('postgres');
  const { emulator, username: user, database, iam } = stack;
  const config = withRdsIam({ host: 'localhost', port: emulator.port, user, database, iam });
  const subscriber = createSubscriber<{ readonly news: string }>(config, { retryInterval: 1 });
  onTestFinished(() => subscriber.close());
  const heard: string[] = [];
  subscriber.notifications.on('news', (news) => heard.push(news));
  subscriber.events.on('error', () => {});
  const reconnected = new Promise<void>((resolve) => subscriber.events.on('connected', resolve));
  await subscriber.connect();
  await subscriber.listenTo('news');
  await subscriber.notify('news', 'first');
  await vi.waitFor(() => expect(heard).toEqual(['first']), 10_000);

  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  vi.setSystemTime(Date.now() + 16 * 60_000);
  expect(emulator.dropConnections()).toBe(1);
  await reconnected;
  await vi.waitFor(async () => {
    await subscriber.notify('news', 'second');
    expect(heard).toContain('second');
  }, 10_000);
  expect(emulator.stats).toMatchObject({ accepted: 2, distinctTokens: 2 });
});

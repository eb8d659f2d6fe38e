import { startStack } from '@rds-iam/conformance';
import { expect, test } from 'vitest';
import { describeFaults } from './faults.js';
import { failure, startSite } from './harness.js';
import { postgres } from './postgres.js';

describeFaults(postgres);

test('the server says itself what has nothing to do with IAM', async () => {
  await using stack = await startStack('postgres');
  const site = await startSite(stack, { anyUser: true });
  expect(await failure({ ...site.config, database: 'nowhere' })).toMatchObject({
    ...{ code: '3D000', message: 'database "nowhere" does not exist', severity: 'FATAL' },
  });
});

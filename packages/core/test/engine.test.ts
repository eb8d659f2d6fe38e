import { expect, test } from 'vitest';
import '../src/connect.js';
import type { Engine } from '../src/engines/engine.js';
import { createRdsIamWith } from '../src/rds-iam.js';
import { World } from './world.js';

/** An engine that this package does not know, as an adapter in another package would define it. */
const oracle: Engine = {
  name: 'oracle',
  connectionsPerSecond: 2,
  account: {
    isNone: 'is not identified globally',
    has: 'its global identity',
    make: 'CREATE USER … IDENTIFIED GLOBALLY AS …',
  },
  classify: ({ message }) =>
    message.startsWith('ORA-01017')
      ? { code: 'ERR_RDS_IAM_REFUSED', retry: 'never', kind: 'not-an-iam-user' }
      : message.startsWith('ORA-12520')
        ? { code: 'ERR_RDS_IAM_UNREACHABLE', retry: 'until-deadline' }
        : undefined,
};

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 1521, username: 'app' };
const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' };

test('a third engine is one object that defines its errors, its limit and its words', async () => {
  const world = new World();
  const iam = createRdsIamWith(world.effects, { credentials });
  let tries = 0;
  const busy = async () => {
    if (tries++ === 0) throw new Error('ORA-12520: no handler');
    return 'in';
  };
  expect(await world.runTimersUntil(iam.connect(endpoint, busy, { engine: oracle }))).toBe('in');

  const startedAt = world.time;
  const open = () => iam.connect(endpoint, async () => 'in', { engine: oracle });
  await world.runTimersUntil(Promise.all(Array.from({ length: 10 }, open)));
  expect(world.time - startedAt).toBeGreaterThan(4_000);

  const refuse = async () => {
    throw new Error('ORA-01017: invalid username/password');
  };
  const refused = world.runTimersUntil(iam.connect(endpoint, refuse, { engine: oracle }));
  await expect(refused).rejects.toMatchObject({
    code: 'ERR_RDS_IAM_REFUSED',
    kind: 'not-an-iam-user',
    attempts: 1,
    message: expect.stringContaining('CREATE USER … IDENTIFIED GLOBALLY AS …'),
  });
});

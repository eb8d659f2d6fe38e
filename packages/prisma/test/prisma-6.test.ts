import { expect, test } from 'vitest';
import { adapterOf } from './options.js';

test('an adapter for MySQL that does not accept a pool is refused, because it would connect without IAM', () => {
  expect(() => adapterOf('mysql', { host: 'db.example.com', user: 'app' })).toThrow(
    expect.objectContaining({
      code: 'ERR_RDS_IAM_CONFIG',
      message: expect.stringContaining('@prisma/adapter-mariadb'),
    }),
  );
});

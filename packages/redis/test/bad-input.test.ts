import { isRdsIamError } from '@rds-iam/core';
import { createClient } from 'redis';
import { describe, expect, test } from 'vitest';
import { type RedisLimiterOptions, redisLimiter } from '../src/index.js';

const client = createClient();

describe('refuses, and names', () => {
  test.each<[string, unknown]>([
    ['{ client }', undefined],
    ['{ client }', null],
    ['"client"', {}],
    ['"client"', { client: null }],
    ['"client"', { client: 'redis://localhost' }],
    ['"client"', { client: { eval: () => {}, once: () => {} } }],
    ['"client"', { client: { status: 'ready', isReady: true } }],
    ['"fleetSize"', { client, fleetSize: 0 }],
    ['"fleetSize"', { client, fleetSize: 1.5 }],
    ['"fleetSize"', { client, fleetSize: Number.NaN }],
    ['"fleetSize"', { client, fleetSize: '8' }],
    ['"timeoutMs"', { client, timeoutMs: 0 }],
    ['"timeoutMs"', { client, timeoutMs: Number.POSITIVE_INFINITY }],
    ['"timeoutMs"', { client, timeoutMs: 60_001 }],
    ['"keyPrefix"', { client, keyPrefix: 7 }],
    ['"prefix"', { client, prefix: 'app:' }],
  ])('%s of %o', (name, options) => {
    const make = () => redisLimiter(options as RedisLimiterOptions);
    expect(make).toThrow(name);
    expect(make).toThrow(expect.toSatisfy((error) => isRdsIamError(error) && error.code === 'ERR_RDS_IAM_CONFIG'));
  });
});

test('what is not given has its default', () => {
  expect(redisLimiter({ client })).toMatchObject({ timeoutMs: 100, shareWhenUnavailable: 1 });
  expect(redisLimiter({ client, fleetSize: 8, timeoutMs: 50 })).toMatchObject({
    timeoutMs: 50,
    shareWhenUnavailable: 1 / 8,
  });
});

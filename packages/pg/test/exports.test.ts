import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';

const require = createRequire(import.meta.url);

/** Internals of pg: its bookkeeping, and helpers that its documentation does not mention. */
const INTERNAL = ['_pools', 'utils'];
const OURS = ['Client', 'Pool', 'native'];

describe('every export of pg is one of ours', () => {
  test('as a named export, and on the default import', async () => {
    const ours: Readonly<Record<string, unknown>> = await import('../src/index.js');
    const driver: Readonly<Record<string, unknown>> = require('pg');
    const module: Readonly<Record<string, unknown>> = await import('pg');
    const names = new Set([...Object.keys(driver), ...Object.getOwnPropertyNames(driver), ...Object.keys(module)]);
    for (const name of ['default', 'module.exports', ...INTERNAL]) names.delete(name);
    expect(names.size).toBeGreaterThan(8);
    for (const name of names) {
      expect(Object.keys(ours), name).toContain(name);
      expect((ours['default'] as object)[name as never], name).toBe(ours[name]);
      if (!OURS.includes(name)) expect(ours[name], name).toBe(driver[name]);
    }
  });
});

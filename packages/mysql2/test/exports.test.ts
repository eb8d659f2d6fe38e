import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import * as promises from '../src/promise.js';
import { CREDENTIALS, REGION } from './stack.js';

const require = createRequire(import.meta.url);

type Names = Readonly<Record<string, unknown>>;

/** Every name that a driver's module exports, in CommonJS or as an ES module. */
async function exportsOf(name: string): Promise<Names> {
  const { default: whole, 'module.exports': _, __esModule: __, ...names } = (await import(name)) as Names;
  return { ...(require(name) as Names), ...(whole as Names), ...names };
}

const OURS = ['connect', 'importFile', ...['', 'Promise'].flatMap((form) => createdIn(form))];

function createdIn(form: string): string[] {
  return ['createConnection', 'createPool', 'createPoolCluster'].map((name) => `${name}${form}`);
}

describe.each<{ name: string; ours: Names; oldest: string; atLeast: number }>([
  { name: 'mysql2', ours: callbacks, oldest: 'mysql2-oldest', atLeast: 20 },
  { name: 'mysql2/promise', ours: promises, oldest: 'mysql2-oldest/promise', atLeast: 15 },
  { name: 'mariadb', ours: connector, oldest: 'mariadb-oldest', atLeast: 7 },
])('every export of $name', ({ name, ours, oldest, atLeast }) => {
  test('is one of ours, as a named export and on the default import', async () => {
    for (const version of [name, oldest]) {
      const names = Object.keys(await exportsOf(version)).filter((each) => each !== 'default');
      expect(names.length).toBeGreaterThanOrEqual(atLeast);
      expect(Object.keys(ours)).toEqual(expect.arrayContaining(names));
      expect(Object.keys(ours['default'] as Names)).toEqual(expect.arrayContaining(names));
    }
  });

  test('is the same object, except for what connects', async () => {
    const { default: whole, ...names } = (await import(name)) as Names;
    for (const [key, value] of Object.entries({ ...(whole as Names), ...names })) {
      expect((ours['default'] as Names)[key], key).toBe(ours[key]);
      if (OURS.includes(key)) expect(ours[key], key).not.toBe(value);
      else if (key !== 'module.exports') expect(ours[key], key).toBe(value);
    }
  });
});

test("a driver's module for frameworks has everything that the driver has, and nothing that connects without IAM", async () => {
  const iam = callbacks.createRdsIam({ region: REGION, credentials: CREDENTIALS });
  for (const [name, ours] of [
    ['mysql2', callbacks.mysql2Driver(iam)],
    ['mariadb', connector.mariadbDriver(iam)],
  ] as const) {
    const { default: whole, 'module.exports': _, ...names } = (await import(name)) as Names;
    const driver: Names = { ...(whole as Names), ...names };
    expect(Object.keys(ours).sort()).toEqual(Object.keys(driver).sort());
    for (const key of Object.keys(driver)) expect((ours as Names)[key] === driver[key], key).toBe(!OURS.includes(key));
  }
});

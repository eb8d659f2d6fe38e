import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { dialFor } from '../src/dial.js';
import { createRdsIam, type Dial } from '../src/index.js';

const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432 };

describe('dial', () => {
  test.each<[Dial, object]>([
    ['127.0.0.1:15432', { hostname: '127.0.0.1', port: 15_432 }],
    ['[::1]:15432', { hostname: '::1', port: 15_432 }],
    ['host.docker.internal:15432', { hostname: 'host.docker.internal', port: 15_432 }],
    ['/run/tunnel.sock', { path: '/run/tunnel.sock' }],
    [
      { hostname: '::1', port: 15_432 },
      { hostname: '::1', port: 15_432 },
    ],
    [() => '127.0.0.1:15432', { hostname: '127.0.0.1', port: 15_432 }],
    [async () => ({ hostname: 'bastion', port: 1 }), { hostname: 'bastion', port: 1 }],
  ])('%j is parsed', async (dial, to) => {
    createRdsIam({ dial });
    expect(await dialFor(dial, endpoint)).toEqual(to);
  });

  test('as a function can decide by endpoint, and return a stream or nothing', async () => {
    const stream = new Duplex();
    const dial: Dial = ({ hostname, port }) => (hostname === endpoint.hostname && port === 5432 ? stream : undefined);
    expect(await dialFor(dial, endpoint)).toBe(stream);
    expect(await dialFor(dial, { ...endpoint, port: 5433 })).toBeUndefined();
  });

  test('undefined is the same as leaving it out, as for an unset variable', () => {
    expect(() => createRdsIam({ dial: process.env['NO_SUCH_VARIABLE'] })).not.toThrow();
  });

  test.each<[unknown, RegExp]>([
    ['', /"dial" cannot be read: give host and port, as in "127\.0\.0\.1:15432"/],
    ['127.0.0.1', /"dial" cannot be read/],
    ['::1:5432', /"dial" cannot be read/],
    ['[localhost]:5432', /"dial" has no IPv6 address in its brackets/],
    ['localhost:0', /"dial" must have a port from 1 to 65535, got the number 0/],
    ['localhost:70000', /"dial".*70000/],
    ['postgres://localhost:5432', /"dial" cannot be read/],
    [5432, /"dial" must be an address.*got the number 5432/],
    [null, /"dial" must be an address.*got null/],
    [{ host: 'localhost', port: 5432 }, /"dial" must be an address/],
    [{ hostname: 'localhost' }, /"dial" must have a port.*got nothing/],
  ])('%j is refused by name', async (dial, message) => {
    const refusal = expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
    expect(() => createRdsIam({ dial } as never)).toThrow(refusal);
    await expect(dialFor((() => dial) as never, endpoint)).rejects.toEqual(refusal);
  });

  test('is suggested by the error if an address is given as the host', async () => {
    for (const hostname of ['127.0.0.1', '::1', 'localhost']) {
      const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' };
      await expect(createRdsIam({ credentials }).getToken({ hostname, port: 15_432, username: 'app' })).rejects.toThrow(
        /if it is a tunnel to an RDS endpoint, give that endpoint as the host and this address in the option "dial"/,
      );
    }
  });
});

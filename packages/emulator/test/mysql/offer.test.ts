import { Capability, decodeGreeting, encodeGreeting, MARIADB_CAPABILITIES_OF_SESSIONS } from '@rds-iam/wire/mysql';
import { expect, test } from 'vitest';
import { NOT_CARRIED } from '../../src/mysql/carried.js';
import { offer } from '../../src/mysql/offer.js';

test.each([0xffffffff, 0xfffffffe])(
  'of the capabilities %d, a client is offered those that are passed on',
  (capabilities) => {
    const greeting = {
      serverVersion: '11.8.3-MariaDB',
      connectionId: 7,
      scramble: Buffer.from('01234567890123456789'),
      capabilities,
      mariadbCapabilities: 0xff,
      characterSet: 45,
      status: 2,
      plugin: 'mysql_native_password',
    };
    for (const tls of [false, true]) {
      const offered = offer(greeting, tls);
      expect(offered).toEqual({
        ...greeting,
        capabilities: expect.any(Number),
        mariadbCapabilities: MARIADB_CAPABILITIES_OF_SESSIONS,
      });
      expect(offered.capabilities & NOT_CARRIED).toBe(0);
      expect((offered.capabilities & Capability.ssl) !== 0).toBe(tls);
      const own = capabilities & Capability.mysql ? 0 : MARIADB_CAPABILITIES_OF_SESSIONS;
      expect(decodeGreeting(encodeGreeting(offered))).toEqual({ ...offered, mariadbCapabilities: own });
    }
  },
);

import { describe, expect, test } from 'vitest';
import { type DatabaseEngine, iamAvailability } from '../src/availability.js';

describe('the availability of IAM authentication', () => {
  test.each<[DatabaseEngine, string, boolean, string]>([
    ['mysql', '5.5.62', false, '5.6.34'],
    ['mysql', '5.6.33', false, '5.6.34'],
    ['mysql', '5.6.34', true, '5.6.34'],
    ['mysql', '5.7.15-log', false, '5.7.16'],
    ['mysql', '5.7.44-log', true, '5.7.16'],
    ['mysql', '8.0.15', false, '8.0.16'],
    ['mysql', '8.0.16', true, '8.0.16'],
    ['mysql', '8.4.0', true, '8.0.16'],
    ['mysql', '9.0', true, '8.0.16'],
    ['mariadb', '10.5.27-MariaDB-log', false, '10.6'],
    ['mariadb', '5.5.5-10.5.27-MariaDB', false, '10.6'],
    ['mariadb', '5.5.5-10.6.1-MariaDB', true, '10.6'],
    ['mariadb', '10.6.18', true, '10.6'],
    ['mariadb', '11.4.2', true, '10.6'],
    ['mariadb', '5.5.5', false, '10.6'],
    ['postgres', '9.4.26', false, '9.5.15'],
    ['postgres', '9.5.14', false, '9.5.15'],
    ['postgres', '9.5.15', true, '9.5.15'],
    ['postgres', '9.6.10', false, '9.6.11'],
    ['postgres', '9.6.24', true, '9.6.11'],
    ['postgres', '10.5', false, '10.6'],
    ['postgres', '10.6', true, '10.6'],
    ['postgres', '11.0', true, '11'],
    ['postgres', '12', true, '11'],
    ['postgres', '13.4', true, '11'],
    ['postgres', '18.1 (Debian 18.1-1)', true, '11'],
    ['postgres', '19beta1', true, '11'],
  ])('%s %s: %s', (engine, version, available, since) => {
    expect(iamAvailability(engine, version)).toMatchObject({ available, since });
  });

  test('is undefined for a text that is not a version', () => {
    expect(iamAvailability('postgres', 'seventeen')).toBeUndefined();
    expect(iamAvailability('mysql', '')).toBeUndefined();
  });
});
